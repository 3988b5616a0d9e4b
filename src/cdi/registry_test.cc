#include "cdi/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/files.h"

namespace fermata::cdi {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CdiRegistry : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/cdi-XXXXXX";
    root_ = ::mkdtemp(pattern);
    for (const char* name : {"/etc", "/run"}) ASSERT_EQ(::mkdir((root_ + name).c_str(), 0700), 0);
  }
  void TearDown() override { (void)remove_tree(root_); }

  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file(root_ + "/" + name, text));
  }
  // One device `device` of acme.com/x that sets `variable`.
  static std::string setting(const std::string& device, const std::string& variable) {
    return fmt::format(
        "cdiVersion: 1.0.0\nkind: acme.com/x\ncontainerEdits: {{env: [ALL=1]}}\n"
        "devices: [{{name: {}, containerEdits: {{env: ['{}']}}}}]\n",
        device, variable);
  }
  std::vector<std::string> env(const std::vector<std::string>& names) {
    const auto edits = registry().resolve(names);
    return edits ? edits->env : std::vector<std::string>{edits.error().message()};
  }
  Registry& registry() {
    if (!registry_) registry_ = std::make_unique<Registry>(std::vector{root_ + "/etc", root_ + "/run"});
    return *registry_;
  }

  std::string root_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(CdiRegistry, CommonEditsComeOnceAndFirst) {
  write("etc/a.yaml",
        "cdiVersion: 1.0.0\nkind: acme.com/x\ncontainerEdits: {env: [ALL=1]}\ndevices:\n"
        "- {name: a, containerEdits: {env: [A=1]}}\n- {name: b, containerEdits: {env: [B=1]}}\n");
  EXPECT_THAT(env({"acme.com/x=b", "acme.com/x=a", "acme.com/x=b"}), ElementsAre("ALL=1", "B=1", "A=1"));
  EXPECT_THAT(registry().devices(), ElementsAre("acme.com/x=a", "acme.com/x=b"));
  EXPECT_THAT(registry().problems(), IsEmpty());
}

TEST_F(CdiRegistry, LaterDirectoriesWin) {
  write("etc/a.yaml", setting("d", "FROM=etc"));
  write("run/b.yml", setting("d", "FROM=run"));
  EXPECT_THAT(env({"acme.com/x=d"}), ElementsAre("ALL=1", "FROM=run"));
}

TEST_F(CdiRegistry, ConflictsWithinADirectoryMakeADeviceUnusable) {
  write("etc/a.yaml", setting("d", "FROM=a"));
  write("etc/b.yaml", setting("d", "FROM=b"));
  EXPECT_EQ(
      env({"acme.com/x=d"})[0],
      fmt::format("unresolvable CDI devices acme.com/x=d: acme.com/x=d is both in '{0}/etc/a.yaml' and in "
                  "'{0}/etc/b.yaml'",
                  root_));
  write("run/c.yaml", setting("d", "FROM=c"));
  EXPECT_THAT(env({"acme.com/x=d"}), ElementsAre("ALL=1", "FROM=c"));
}

TEST_F(CdiRegistry, ChangesAreSeen) {
  EXPECT_EQ(env({"acme.com/x=d", "acme.com/x=e"})[0],
            fmt::format("unresolvable CDI devices acme.com/x=d, acme.com/x=e: no specification in {0}/etc or "
                        "{0}/run has them",
                        root_));
  write("etc/a.yaml", setting("d", "V=1"));
  EXPECT_THAT(env({"acme.com/x=d"}), ElementsAre("ALL=1", "V=1"));
  write("etc/a.yaml", setting("d", "V=2"));
  EXPECT_THAT(env({"acme.com/x=d"}), ElementsAre("ALL=1", "V=2"));
  ASSERT_TRUE(remove_tree(root_ + "/etc/a.yaml"));
  EXPECT_THAT(registry().devices(), IsEmpty());
}

TEST_F(CdiRegistry, AFileThatCannotBeTakenIsNamed) {
  write("etc/bad.json", R"({"cdiVersion":"1.0.0","kind":"acme.com/x"})");
  write("etc/notes.txt", "no specification");
  ASSERT_EQ(::mkfifo((root_ + "/etc/pipe.json").c_str(), 0600), 0);
  write("etc/good.yaml", setting("d", "V=1"));
  EXPECT_THAT(env({"acme.com/x=d"}), ElementsAre("ALL=1", "V=1"));
  EXPECT_THAT(env({"acme.com/x=other"})[0], HasSubstr("/etc/bad.json': devices: missing; "));
  EXPECT_THAT(registry().problems(), ElementsAre(HasSubstr("bad.json': devices: missing"),
                                                 HasSubstr("pipe.json': not a regular file")));
}

}  // namespace
}  // namespace fermata::cdi
