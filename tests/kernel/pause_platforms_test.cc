// pause for every processor: what its ELF header says, and how it behaves under qemu-user.
#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

#include "kernel/support/pause_process.h"

namespace fermata::test {
namespace {

struct Platform {
  std::string name;      // OCI's
  std::string emulator;  // of qemu-user
  int elf_class;
  int machine;
};

std::string program_of(const Platform& platform) {
  const std::string own = kPause + "-" + platform.name;
  return ::access(own.c_str(), F_OK) == 0 ? own : kPause;
}

class PausePlatforms : public testing::TestWithParam<Platform> {
 protected:
  void SetUp() override {
    ASSERT_EQ(::access(emulator().c_str(), X_OK), 0) << emulator() << " is not installed";
  }
  static std::string emulator() { return "/usr/bin/qemu-" + GetParam().emulator; }

  static Process::Options emulated(const std::vector<std::string>& arguments = {}) {
    Process::Options options;
    options.program = emulator();
    options.arguments = {"qemu", "-0", "/pause", program_of(GetParam())};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    return options;
  }
  static Process::Options emulated_as_pid_1() {
    Process::Options options = emulated();
    options.clone_flags = CLONE_NEWPID;
    return options;
  }
};

// A field as this processor has it; s390x is big-endian.
template <class Field>
std::uint64_t field(Field value, bool swapped) {
  std::uint64_t result = 0;
  unsigned char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  for (std::size_t i = 0; i < sizeof value; ++i)
    result |= std::uint64_t{bytes[swapped ? sizeof value - 1 - i : i]} << (8 * i);
  return result;
}

template <class Header, class Segment>
void check_segments(const std::string& image, int machine) {
  const bool swapped = image[EI_DATA] == ELFDATA2MSB;
  Header header;
  ASSERT_GE(image.size(), sizeof header);
  std::memcpy(&header, image.data(), sizeof header);
  EXPECT_EQ(field(header.e_machine, swapped), static_cast<unsigned>(machine));
  EXPECT_EQ(field(header.e_type, swapped), static_cast<unsigned>(ET_EXEC));  // nothing to relocate
  unsigned loaded = 0, stacks = 0;
  for (unsigned i = 0; i < field(header.e_phnum, swapped); ++i) {
    Segment segment;
    const std::uint64_t at = field(header.e_phoff, swapped) + i * sizeof segment;
    ASSERT_LE(at + sizeof segment, image.size());
    std::memcpy(&segment, image.data() + at, sizeof segment);
    const std::uint64_t type = field(segment.p_type, swapped), flags = field(segment.p_flags, swapped);
    if (type == PT_LOAD) {
      ++loaded;
      EXPECT_EQ(flags, static_cast<unsigned>(PF_R | PF_X));
      // Kernels whose pages are 64 kB map whole ones.
      const std::uint64_t alignment = field(segment.p_align, swapped);
      EXPECT_EQ(alignment, 65536u);
      EXPECT_EQ(field(segment.p_vaddr, swapped) % alignment, field(segment.p_offset, swapped) % alignment);
      EXPECT_EQ(field(segment.p_filesz, swapped), field(segment.p_memsz, swapped));
    } else {
      // No interpreter, nothing dynamic.
      EXPECT_EQ(type, static_cast<unsigned>(PT_GNU_STACK));
      EXPECT_EQ(flags, static_cast<unsigned>(PF_R | PF_W));
      ++stacks;
    }
  }
  EXPECT_EQ(loaded, 1u);
  EXPECT_EQ(stacks, 1u);
}

TEST_P(PausePlatforms, IsSmallWithOneSegment) {
  const std::string image = slurp(program_of(GetParam()));
  EXPECT_LE(image.size(), 4096u);
  ASSERT_GT(image.size(), static_cast<std::size_t>(EI_NIDENT));
  ASSERT_EQ(image[EI_CLASS], GetParam().elf_class);
  if (GetParam().elf_class == ELFCLASS64)
    check_segments<Elf64_Ehdr, Elf64_Phdr>(image, GetParam().machine);
  else
    check_segments<Elf32_Ehdr, Elf32_Phdr>(image, GetParam().machine);
}

TEST_P(PausePlatforms, TellsItsVersion) {
  for (const char* argument : {"-v", "-V"}) {
    Process pause(emulated({argument}));
    EXPECT_EQ(pause.exit_code(), 0);
    EXPECT_EQ(pause.output().rfind("fermata pause ", 0), 0u);
  }
}

TEST_P(PausePlatforms, WarnsSleepsAndEndsOnSigterm) {
  Process pause(emulated({"other", "arguments"}));
  ASSERT_TRUE(pause.wait_until_ready());
  for (const int signal : {SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE, SIGALRM}) ::kill(pause.pid(), signal);
  ASSERT_TRUE(pause.wait_until_ready());
  ::kill(pause.pid(), SIGTERM);
  EXPECT_EQ(pause.exit_code(), 0);
  EXPECT_EQ(pause.errors(),
            "Warning: pause should be the first process\nShutting down, got signal: Terminated\n");
}

TEST_P(PausePlatforms, ReapsAndEndsOnSigintAsTheFirstProcess) {
  Process pause(emulated_as_pid_1());
  ASSERT_TRUE(pause.wait_until_ready());
  Pipe release;
  ASSERT_TRUE(orphan_processes(pause.pid(), 50, release));
  ASSERT_TRUE(eventually([&] { return children_of(pause.pid()).size() == 50; }));
  release.write_end.reset();
  EXPECT_TRUE(eventually([&] { return children_of(pause.pid()).empty(); }));
  ::kill(pause.pid(), SIGINT);
  EXPECT_EQ(pause.exit_code(), 0);
  EXPECT_EQ(pause.errors(), "Shutting down, got signal: Interrupt\n");
}

INSTANTIATE_TEST_SUITE_P(Each, PausePlatforms,
                         testing::Values(Platform{"amd64", "x86_64", ELFCLASS64, EM_X86_64},
                                         Platform{"386", "i386", ELFCLASS32, EM_386},
                                         Platform{"arm64", "aarch64", ELFCLASS64, EM_AARCH64},
                                         Platform{"arm", "arm", ELFCLASS32, EM_ARM},
                                         Platform{"ppc64le", "ppc64le", ELFCLASS64, EM_PPC64},
                                         Platform{"s390x", "s390x", ELFCLASS64, EM_S390},
                                         Platform{"riscv64", "riscv64", ELFCLASS64, EM_RISCV}),
                         [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace fermata::test
