// For tests: a directory with shell scripts in place of plugins, which write down what they are given and
// answer as a test tells them to.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/text.h"

namespace fermata::cni {

class FakePlugins {
 public:
  FakePlugins() {
    char name[] = "/tmp/fermata-cni-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~FakePlugins() { EXPECT_TRUE(remove_tree(path_)); }
  FakePlugins(const FakePlugins&) = delete;
  FakePlugins& operator=(const FakePlugins&) = delete;

  const std::string& path() const { return path_; }

  // Answers ADD with an address, VERSION with `versions`, and everything else with success.
  void install(const std::string& type, const std::string& versions = R"("0.4.0","1.0.0")") {
    put(type, "#!/bin/sh\nd=" + path_ + "\nme=" + type + R"(
cat > $d/$me.$CNI_COMMAND.in
env > $d/$me.$CNI_COMMAND.env
echo $me $CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME >> $d/log
if [ -f $d/$me.$CNI_COMMAND.sh ]; then . $d/$me.$CNI_COMMAND.sh; fi
case $CNI_COMMAND in
ADD) echo '{"ips":[{"address":"10.1.0.5/24","version":"4"}]}' ;;
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":[)" +
                  versions + "]}' ;;\nesac\n");
    EXPECT_EQ(::chmod((path_ + "/" + type).c_str(), 0755), 0);
  }
  // Shell code that the plugin runs first; it may `exit`.
  void answer(const std::string& type, const std::string& command, const std::string& code) {
    put(type + "." + command + ".sh", code + "\n");
  }
  void uninstall(const std::string& type) { EXPECT_TRUE(remove_tree(path_ + "/" + type)); }
  void forget_answer(const std::string& type, const std::string& command) {
    EXPECT_TRUE(remove_tree(path_ + "/" + type + "." + command + ".sh"));
  }

  // What the latest execution got.
  std::string input(const std::string& type, const std::string& command) const {
    return read_file(path_ + "/" + type + "." + command + ".in").value_or("");
  }
  // nullopt: it had no such variable.
  std::optional<std::string> variable(const std::string& type, const std::string& command,
                                      const std::string& name) const {
    const std::string text = read_file(path_ + "/" + type + "." + command + ".env").value_or("");
    for (const auto line : split(text, '\n'))
      if (line.starts_with(name + "=")) return std::string(line.substr(name.size() + 1));
    return std::nullopt;
  }
  // "bridge ADD pod1 eth0" each, since the last call.
  std::vector<std::string> take_log() {
    const std::string text = read_file(path_ + "/log").value_or("");
    EXPECT_TRUE(remove_tree(path_ + "/log"));
    std::vector<std::string> lines;
    for (const auto line : split(text, '\n'))
      if (!line.empty()) lines.emplace_back(trim(line));
    return lines;
  }
  void put(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(write_file(path_ + "/" + name, text));
  }

 private:
  std::string path_;
};

}  // namespace fermata::cni
