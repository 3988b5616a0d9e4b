#include "e2e/support/engines.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

namespace fermata::e2e {
namespace {

constexpr double kStart = 60;  // seconds for a daemon

std::string permitted(int resource, std::uint64_t ceiling) {
  rlimit limit = {};
  ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  const std::string value = std::to_string(std::min<std::uint64_t>(limit.rlim_max, ceiling));
  return value + ":" + value;
}

Arguments joined(Arguments first, const Arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// A daemon writes to a file: nobody reads along here, and a full pipe would stop it.
Arguments logging_to(const std::string& file, const Arguments& command) {
  return joined({"sh", "-c", "log=$0; exec \"$@\" >\"$log\" 2>&1", file}, command);
}

void expect_answer(const Arguments& question, const std::string& log) {
  ASSERT_TRUE(eventually([&] { return run_program(question).ok(); }, kStart)) << slurp(log);
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7) bytes.push_back(static_cast<char>(value | 128));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

// Takes a number from the front; nullopt at the end.
std::optional<std::uint64_t> take_varint(std::string_view* bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; !bytes->empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  return std::nullopt;
}

struct Field {
  int number = 0;
  std::uint64_t value = 0;
  std::string bytes;
  bool is_bytes = false;
};

std::vector<Field> fields_of(std::string_view message) {
  std::vector<Field> fields;
  while (const auto key = take_varint(&message)) {
    Field field{
        .number = static_cast<int>(*key >> 3), .value = take_varint(&message).value_or(0), .bytes = {}};
    field.is_bytes = (*key & 7) == 2;
    if (field.is_bytes) {
      field.bytes = message.substr(0, field.value);
      message.remove_prefix(field.bytes.size());
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

}  // namespace

Outcome shell(const std::string& script) { return run_program({"sh", "-c", script}); }

void EngineTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  std::string name = "/tmp/fdiXXXXXX";
  ASSERT_NE(nullptr, ::mkdtemp(name.data()));
  directory_ = name;
  tag_ = "fermata-peers-" + name.substr(name.size() - 6);
  pack_base(directory_, base_tar());
  // conmon leaves a file `oom` where it runs.
  started_in_ = std::filesystem::current_path();
  std::filesystem::current_path(directory_);
}

void EngineTest::TearDown() {
  if (directory_.empty()) return;
  std::filesystem::current_path(started_in_);
  const SnapshotScope scope{.root = directory_, .run_root = directory_, .tag = tag_};
  EXPECT_TRUE(eventually([&] { return engine_processes(scope).empty(); }, 20))
      << *engine_processes(scope).begin();
  shell("find /sys/fs/cgroup -depth -type d -path '*" + cgroup() + "*' -exec rmdir {} + 2>/dev/null");
  shell("grep -o ' " + directory_ + "[^ ]*' /proc/self/mounts | sort -r | xargs -r umount -l");
  run_program({"rm", "-rf", "--one-file-system", directory_});
}

Outcome EngineTest::run(Arguments command, const Arguments& arguments) {
  return run_program(joined(std::move(command), arguments), {.seconds = 60});
}

std::string EngineTest::must(const Arguments& command, const Arguments& arguments) {
  const Outcome outcome = run(command, arguments);
  EXPECT_TRUE(outcome.ok()) << testing::PrintToString(joined(command, arguments)) << ": " << outcome;
  return outcome.line();
}

Arguments EngineTest::podman(const std::string& runtime) const {
  spill(path("containers.conf"),
        "[containers]\ndefault_ulimits = [\"nofile=" + permitted(RLIMIT_NOFILE, 1048576) +
            "\", \"nproc=" + permitted(RLIMIT_NPROC, 32768) + "\"]\n");
  return {"env",        "CONTAINERS_CONF=" + path("containers.conf"),
          "podman",     "--root",
          path("root"), "--runroot",
          path("run"),  "--runtime",
          runtime,      "--tmpdir",
          path("tmp"),  "--cgroup-manager",
          "cgroupfs"};
}

Dockerd::Dockerd(const std::string& directory, const std::string& cgroup, const Arguments& flags)
    : client_{"docker", "-H", "unix://" + directory + "/d.sock"},
      daemon_(logging_to(directory + "/log",
                         joined({"dockerd", "--data-root", directory + "/data", "--exec-root",
                                 directory + "/exec", "--pidfile", directory + "/pid", "-H", client_[2],
                                 "--containerd-namespace", "peers", "--cgroup-parent", cgroup},
                                flags)),
              Background::Streams::pipes) {
  expect_answer(joined(client_, {"version"}), directory + "/log");
}

int Dockerd::stop() {
  daemon_.signal(SIGTERM);
  return daemon_.wait(kStart).code;
}

Containerd::Containerd(const std::string& directory, const std::string& cri)
    : directory_(directory),
      socket_(directory + "/c.sock"),
      daemon_(
          [&] {
            spill(directory + "/config.toml",
                  "version = 2\nroot = \"" + directory + "/root\"\nstate = \"" + directory +
                      "/state\"\n[grpc]\n  address = \"" + socket_ +
                      "\"\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  restrict_oom_score_adj = true\n"
                      "  stream_server_port = \"0\"\n" +
                      cri);
            return logging_to(directory + "/log", {"containerd", "-c", directory + "/config.toml"});
          }(),
          Background::Streams::pipes) {
  expect_answer({"ctr", "-a", socket_, "version"}, directory + "/log");
}

Arguments Containerd::client(const std::string& name_space) const {
  return {"ctr", "-a", socket_, "-n", name_space};
}

// A client in small: one gRPC frame each way over HTTP/2. A refusal has its words in the headers.
std::string Containerd::call(const std::string& method, const std::string& message) const {
  std::string frame(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(message.size() >> shift));
  const std::string request = directory_ + "/request", answer = directory_ + "/answer";
  spill(request, frame + message);
  spill(answer, "");
  const Outcome outcome =
      run_program({"curl", "-sS", "--http2-prior-knowledge", "--unix-socket", socket_, "-H",
                   "content-type: application/grpc", "-H", "te: trailers", "-D", "-", "--data-binary",
                   "@" + request, "-o", answer, "http://localhost/runtime.v1.RuntimeService/" + method},
                  {.seconds = 60});
  EXPECT_TRUE(outcome.ok() && contains(outcome.out, "grpc-status: 0")) << method << ": " << outcome;
  constexpr std::size_t kFrameHead = 5;
  const std::string bytes = slurp(answer);
  return bytes.size() > kFrameHead ? bytes.substr(kFrameHead) : "";
}

int Containerd::stop() {
  daemon_.signal(SIGTERM);
  return daemon_.wait(kStart).code;
}

std::string field(int number, std::uint64_t value) {
  return varint(static_cast<unsigned>(number) << 3) + varint(value);
}

std::string field(int number, const std::string& bytes) {
  return varint(static_cast<unsigned>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}

std::vector<std::string> strings_of(const std::string& message, int number) {
  std::vector<std::string> found;
  for (Field& field : fields_of(message))
    if (field.number == number && field.is_bytes) found.push_back(std::move(field.bytes));
  return found;
}

std::vector<std::uint64_t> numbers_of(const std::string& message, int number) {
  std::vector<std::uint64_t> found;
  for (const Field& field : fields_of(message))
    if (field.number == number && !field.is_bytes) found.push_back(field.value);
  return found;
}

}  // namespace fermata::e2e
