#include "cli/streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <deque>

#include "base/files.h"
#include "cli/auth_file.h"
#include "cli/command.h"
#include "cli/core/terminal.h"

namespace fermata::cli {
namespace {

// A session whose events are written down beforehand; one byte in its socket stands for each.
class FakeSession : public pod::Session {
 public:
  FakeSession() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    mine_.reset(ends[0]);
    far_.reset(ends[1]);
  }
  void push(Event event) {
    events_.push_back(std::move(event));
    EXPECT_EQ(::write(far_.get(), "e", 1), 1);
  }
  int fd() const override { return mine_.get(); }
  Result<Event> read() override {
    char byte = 0;
    EXPECT_EQ(::read(mine_.get(), &byte, 1), 1);
    Event event = events_.front();
    events_.pop_front();
    return event;
  }
  Result<void> write_stdin(std::string_view data) override {
    input += data;
    return {};
  }
  Result<void> close_stdin() override {
    closed = true;
    push({Event::Kind::ended, "", 7});
    return {};
  }
  Result<void> resize(std::uint32_t, std::uint32_t) override { return {}; }

  std::string input;
  bool closed = false;

 private:
  UniqueFd mine_, far_;
  std::deque<Event> events_;
};

struct Pipe {
  UniqueFd reader, writer;
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  std::string drain() {
    writer.reset();
    return read_fd(reader.get()).value();
  }
};

using Kind = pod::Session::Event::Kind;

TEST(Streams, OutputAndErrorStayApart) {
  FakeSession session;
  session.push({Kind::output, "out", 0});
  session.push({Kind::error_output, "err", 0});
  session.push({Kind::ended, "", 3});
  Pipe out, err;
  const auto end =
      carry_streams(session, nullptr, {.output = out.writer.get(), .error_output = err.writer.get()});
  ASSERT_TRUE(end);
  EXPECT_EQ(end->why, StreamEnd::Why::exited);
  EXPECT_EQ(end->exit_code, 3);
  EXPECT_EQ(out.drain(), "out");
  EXPECT_EQ(err.drain(), "err");
}

TEST(Streams, InputGoesThroughAndCloses) {
  FakeSession session;
  Pipe in;
  ASSERT_TRUE(write_all(in.writer.get(), "hello"));
  in.writer.reset();
  const auto end = carry_streams(session, nullptr, {.forward_input = true, .input = in.reader.get()});
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 7);
  EXPECT_EQ(session.input, "hello");
  EXPECT_TRUE(session.closed);
}

TEST(Streams, DetachKeysEndIt) {
  FakeSession session;
  Pipe in;
  ASSERT_TRUE(write_all(in.writer.get(), "ab\x10\x11zz"));
  const auto end = carry_streams(
      session, nullptr,
      {.terminal = true, .forward_input = true, .detach_keys = "\x10\x11", .input = in.reader.get()});
  ASSERT_TRUE(end);
  EXPECT_EQ(end->why, StreamEnd::Why::detached);
  EXPECT_EQ(session.input, "ab");
}

TEST(Streams, LostMonitor) {
  FakeSession session;
  session.push({Kind::closed, "", 0});
  const auto end = carry_streams(session, nullptr, {});
  EXPECT_EQ(end->why, StreamEnd::Why::lost);
  EXPECT_EQ(end->exit_code, 137);
}

TEST(Streams, SignalsAreNoted) {
  auto notes = SignalNotes::install(true);
  ASSERT_TRUE(notes);
  FakeSession session;
  ::raise(SIGUSR1);
  int got = 0;
  StreamOptions options;
  options.on_signal = [&](int signal) {
    got = signal;
    session.push({Kind::ended, "", 0});
  };
  ASSERT_TRUE(carry_streams(session, &*notes, options));
  EXPECT_EQ(got, SIGUSR1);
}

TEST(Terminal, DetachKeys) {
  EXPECT_EQ(parse_detach_keys("ctrl-p,ctrl-q").value(), "\x10\x11");
  EXPECT_EQ(parse_detach_keys("a,ctrl-@").value(), std::string("a\0", 2));
  EXPECT_EQ(parse_detach_keys("").value(), "");
  EXPECT_FALSE(parse_detach_keys("ctrl-p,"));
  EXPECT_FALSE(parse_detach_keys("shift-p"));
  DetachKeys keys("\x10\x11");
  EXPECT_EQ(keys.feed("x\x10").bytes, "x");
  EXPECT_EQ(keys.feed("y").bytes, "\x10y");
  EXPECT_EQ(keys.feed("\x10").bytes, "");
  EXPECT_TRUE(keys.feed("\x11").detach);
}

TEST(AuthFile, FindsTheRegistry) {
  constexpr std::string_view kFile =
      R"({"auths":{"https://index.docker.io/v1/":{"auth":"dXNlcjpwYTpzcw=="},"r.example":{"username":"u","password":"p"}}})";
  const auto hub = credentials_in(kFile, "docker.io").value();
  ASSERT_TRUE(hub);
  EXPECT_EQ(hub->user, "user");
  EXPECT_EQ(hub->password, "pa:ss");
  EXPECT_EQ(credentials_in(kFile, "r.example").value()->user, "u");
  EXPECT_FALSE(credentials_in(kFile, "other").value());
  EXPECT_FALSE(credentials_in("[]", "x"));
  EXPECT_FALSE(credentials_in(R"({"auths":{"x":{"auth":"??"}}})", "x"));
}

TEST(Commands, ArgumentCountsInDockersWords) {
  EXPECT_TRUE(argument_error(*find_command("run"), 0)
                  .starts_with("\"fermata run\" requires at least 1 argument.\nSee 'fermata run --help'."));
  EXPECT_TRUE(
      argument_error(*find_command("tag"), 1).starts_with("\"fermata tag\" requires exactly 2 arguments.\n"));
  EXPECT_TRUE(argument_error(*find_command("ps"), 1).starts_with("\"fermata ps\" accepts no arguments.\n"));
  EXPECT_EQ(argument_error(*find_command("rm"), 3), "");
}

TEST(Commands, ManagementForms) {
  EXPECT_EQ(find_group_command("container", "ls"), find_command("ps"));
  EXPECT_EQ(find_group_command("container", "list"), find_command("ps"));
  EXPECT_EQ(find_group_command("image", "rm"), find_command("rmi"));
  EXPECT_EQ(find_group_command("image", "ls"), find_command("images"));
  EXPECT_EQ(find_group_command("container", "nope"), nullptr);
  EXPECT_EQ(find_group_command("image", "inspect")->group, "image");
  const std::string help = command_help(*find_group_command("container", "inspect"));
  EXPECT_TRUE(help.starts_with("Usage:  fermata container inspect [OPTIONS] CONTAINER")) << help;
  EXPECT_EQ(help.find("Aliases"), std::string::npos) << help;
}

TEST(Commands, EveryOneHasHelp) {
  for (const Command& command : commands()) {
    const std::string help = command_help(command);
    EXPECT_TRUE(help.starts_with("Usage:  fermata " + std::string(command.name))) << command.name;
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_TRUE(command.hidden || !command.example.empty()) << command.name;
    for (const FlagSpec& flag : command.flags)
      EXPECT_TRUE(!flag.help.empty() || !flag.same_as.empty()) << flag.name;
  }
}

}  // namespace
}  // namespace fermata::cli
