// What users get wrong: refused with the input named, the way out, docker's exit code, and nothing made.
#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

class BadInput : public EndToEnd {
 protected:
  struct Expectation {
    int code;
    std::string text;
  };
  static void refuses(const Arguments& arguments, const Expectation& expected) {
    const Outcome outcome = fermata(arguments);
    std::string words;
    for (const auto& argument : arguments) words += " " + argument;
    EXPECT_EQ(expected.code, outcome.code) << "fermata" << words << "\n" << outcome;
    EXPECT_THAT(outcome.err, HasSubstr(expected.text)) << "fermata" << words;
    EXPECT_EQ("", must({"ps", "-aq"}));
  }
};

TEST_F(BadInput, UnknownCommandsNameTheNearest) {
  refuses({"rnu"}, {125, "run"});
  refuses({"imagse"}, {125, "images"});
  refuses({"frobnicate"}, {125, "frobnicate"});
}

TEST_F(BadInput, UnknownFlagsNameTheNearest) {
  refuses({"run", "--memroy", "1g", kBase, "true"}, {125, "--memory"});
  refuses({"ps", "--fliter", "x"}, {125, "--filter"});
  refuses({"run", "-Q", kBase}, {125, "-Q"});
}

TEST_F(BadInput, HelpIsThereForEveryCommand) {
  for (const char* command :
       {"run",  "create", "start",  "stop", "kill",   "rm",  "ps",  "logs",    "exec", "inspect", "wait",
        "port", "pull",   "images", "load", "import", "rmi", "tag", "version", "info", "attach"}) {
    const Outcome outcome = fermata({command, "--help"});
    EXPECT_EQ(0, outcome.code) << command;
    EXPECT_THAT(outcome.out, HasSubstr(std::string("fermata ") + command)) << command;
  }
  EXPECT_EQ(0, fermata({"--help"}).code);
  EXPECT_EQ(0, fermata({"version"}).code);
}

TEST_F(BadInput, MissingArguments) {
  refuses({"run"}, {1, "run"});
  refuses({"stop"}, {1, "stop"});
  refuses({"exec", "only-a-name"}, {1, "exec"});
  refuses({"run", "--name"}, {125, "--name"});
}

TEST_F(BadInput, UnknownImages) {
  refuses({"run", "--rm", "--pull=never", "e2e/unknown:1", "true"}, {125, "e2e/unknown:1"});
  refuses({"run", "--rm", "example.org/UPPER", "true"}, {125, "lowercase"});
  refuses({"run", "--rm", "bad::name", "true"}, {125, "bad::name"});
  refuses({"rmi", "e2e/unknown:1"}, {1, "e2e/unknown:1"});
  // A registry that nobody serves.
  refuses({"pull", "127.0.0.1:1/none:1"}, {1, "127.0.0.1:1"});
  refuses({"run", "--rm", "127.0.0.1:1/none:1"}, {125, "127.0.0.1:1"});
}

TEST_F(BadInput, UnknownContainers) {
  for (const char* command : {"start", "stop", "kill", "rm", "logs", "inspect", "wait", "port", "attach"})
    refuses({command, "nobody"}, {1, "nobody"});
  refuses({"exec", "nobody", "true"}, {1, "nobody"});
}

TEST_F(BadInput, Ports) {
  refuses({"run", "-p", "70000:80", kBase, "true"}, {125, "70000"});
  refuses({"run", "-p", "80:70000", kBase, "true"}, {125, "70000"});
  refuses({"run", "-p", "80:x", kBase, "true"}, {125, "x"});
  refuses({"run", "-p", "1.2.3:80:80", kBase, "true"}, {125, "1.2.3"});
  refuses({"run", "-p", "8000-8002:80-81", kBase, "true"}, {125, "8000-8002"});
  refuses({"run", "-p", "80:80/icmp", kBase, "true"}, {125, "icmp"});
  refuses({"run", "-p", "192.0.2.200:8080:80", kBase, "true"}, {125, "192.0.2.200"});
}

TEST_F(BadInput, Names) {
  refuses({"run", "--name", "bad name", kBase, "true"}, {125, "bad name"});
  refuses({"run", "--name", "../up", kBase, "true"}, {125, "../up"});
  refuses({"run", "--name", "-dash", kBase, "true"}, {125, "-dash"});
}

TEST_F(BadInput, Values) {
  refuses({"run", "--stop-signal", "SIGNONE", kBase, "true"}, {125, "SIGNONE"});
  refuses({"run", "-e", "=x", kBase, "true"}, {125, "=x"});
  refuses({"run", "--env-file", "/no/such/file", kBase, "true"}, {125, "/no/such/file"});
  refuses({"run", "-w", "relative", kBase, "true"}, {125, "relative"});
  refuses({"run", "--add-host", "nocolon", kBase, "true"}, {125, "nocolon"});
  refuses({"run", "--dns", "not-an-address", kBase, "true"}, {125, "not-an-address"});
  refuses({"run", "--ipc=nonsense", kBase, "true"}, {125, "nonsense"});
  refuses({"run", "--pid=nonsense", kBase, "true"}, {125, "nonsense"});
  refuses({"run", "-d", "--rm", "--pull=sometimes", kBase, "true"}, {125, "sometimes"});
  refuses({"run", "--rm", "--tmpfs", "relative", kBase, "true"}, {125, "relative"});
}

TEST_F(BadInput, AFailedStartLeavesTheCreatedContainer) {
  // As docker: what failed to start can be inspected; with --rm it goes.
  const Outcome outcome = fermata({"run", "--name", "failed", kBase, "no-such-program"});
  EXPECT_EQ(127, outcome.code);
  EXPECT_EQ("127", host().inspect("failed", "{{.State.ExitCode}}"));
  EXPECT_THAT(host().inspect("failed", "{{.State.Error}}"), HasSubstr("no-such-program"));
  must({"rm", "failed"});
}

TEST_F(BadInput, FormatsThatAreWrong) {
  must({"create", "--name", "job", kBase, "true"});
  for (const char* format : {"{{.State.", "{{nonsense .Id}}", "{{range .Mounts}}", "{{.No.Such.Field}}"}) {
    const Outcome outcome = fermata({"inspect", "--format", format, "job"});
    EXPECT_NE(0, outcome.code) << format;
    EXPECT_NE("", outcome.err) << format;
  }
  EXPECT_NE(0, fermata({"ps", "--filter", "colour=red"}).code);
}

TEST_F(BadInput, WithoutRootTheWayOutIsTold) {
  const Outcome outcome = fermata({"ps"}, {.uid = 65534});
  EXPECT_NE(0, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("root"));
  EXPECT_EQ(0, fermata({"version"}, {.uid = 65534}).code);
  EXPECT_EQ(0, fermata({"--help"}, {.uid = 65534}).code);
}

TEST_F(BadInput, VeryLongCommandLinesWork) {
  const std::string long_word(100000, 'x');
  EXPECT_EQ("100000", in_container({"-e", "LONG=" + long_word}, {"sh", "-c", "echo ${#LONG}"}).line());
  EXPECT_EQ("100000", in_container({}, {"sh", "-c", "echo ${#1}", "sh", long_word}).line());
}

}  // namespace
}  // namespace fermata::e2e
