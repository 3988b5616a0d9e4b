// Containers from create to rm: states, exit codes, names, what ps, inspect and logs tell.
#include <algorithm>
#include <csignal>

#include "e2e/support/fixture.h"

namespace fermata::e2e {
namespace {

using Lifecycle = EndToEnd;

TEST_F(Lifecycle, RunTellsTheOutputAndTheExitCode) {
  const Outcome outcome = in_container({}, {"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(3, outcome.code);
  EXPECT_EQ("out\n", outcome.out);
  EXPECT_EQ("err\n", outcome.err);
}

TEST_F(Lifecycle, EveryExitCodeComesThrough) {
  for (const int code : {0, 1, 42, 124, 125, 126, 127, 200, 255})
    EXPECT_EQ(code, in_container({}, {"probe", "exit", std::to_string(code)}).code);
}

TEST_F(Lifecycle, ADeathBySignalIs128AndItsNumber) {
  EXPECT_EQ(128 + SIGKILL, in_container({}, {"sh", "-c", "sh -c 'kill -9 $$'; exit $?"}).code);
  start_probe("victim", {}, {"ignore"});
  must({"kill", "victim"});
  EXPECT_EQ("137", must({"wait", "victim"}));
  EXPECT_EQ("137", host().inspect("victim", "{{.State.ExitCode}}"));
}

TEST_F(Lifecycle, WhatCannotBeRunIs126AndWhatIsMissing127) {
  Outcome outcome = in_container({}, {"no-such-program"});
  EXPECT_EQ(127, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("no-such-program"));
  outcome = in_container({}, {"/etc/passwd"});
  EXPECT_EQ(126, outcome.code) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("/etc/passwd"));
  EXPECT_EQ(127, in_container({}, {"/no/such/path"}).code);
  EXPECT_EQ(126, in_container({}, {"/etc"}).code);
}

TEST_F(Lifecycle, DetachedRunPrintsTheIdAndNothingElse) {
  const Outcome outcome = fermata({"run", "-d", "--name", "job", kProbeImage, "wait"});
  EXPECT_EQ(0, outcome.code);
  EXPECT_THAT(outcome.line(), MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(64U, outcome.line().size());
  EXPECT_EQ("", outcome.err);
  EXPECT_EQ(outcome.line(), host().inspect("job", "{{.Id}}"));
}

TEST_F(Lifecycle, CreateStartStopStartRemove) {
  const std::string id = must({"create", "--name", "job", kProbeImage, "trap", "5"});
  EXPECT_EQ("created", host().inspect("job", "{{.State.Status}}"));
  EXPECT_EQ("job", must({"start", "job"}));
  EXPECT_EQ("running", host().inspect("job", "{{.State.Status}}"));
  ASSERT_TRUE(logs_show("job", "ready"));
  EXPECT_EQ("job", must({"start", "job"})) << "starting what runs is a success";
  EXPECT_EQ("job", must({"stop", "job"}));
  EXPECT_EQ("exited", host().inspect("job", "{{.State.Status}}"));
  EXPECT_EQ("5", host().inspect("job", "{{.State.ExitCode}}"));
  EXPECT_EQ("job", must({"stop", "job"})) << "stopping what has stopped is a success";
  must({"start", "job"});
  EXPECT_EQ(id, host().inspect("job", "{{.Id}}"));
  must({"stop", "-t", "1", "job"});
  must({"rm", "job"});
  EXPECT_EQ(1, fermata({"inspect", "job"}).code);
}

TEST_F(Lifecycle, StopSendsTheStopSignalAndKillsAfterTheTimeout) {
  start_probe("usr1", {"--stop-signal", "USR1", "--stop-timeout", "1"}, {"trap"});
  ASSERT_TRUE(logs_show("usr1", "ready"));
  must({"stop", "usr1"});
  EXPECT_THAT(fermata({"logs", "usr1"}).out, HasSubstr("got " + std::to_string(SIGUSR1)));
  EXPECT_EQ("137", host().inspect("usr1", "{{.State.ExitCode}}"));

  start_probe("deaf", {}, {"ignore"});
  ASSERT_TRUE(logs_show("deaf", "ready"));
  const auto begin = Clock::now();
  must({"stop", "-t", "1", "deaf"});
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(950));
  EXPECT_EQ("137", host().inspect("deaf", "{{.State.ExitCode}}"));
}

TEST_F(Lifecycle, AnImagesStopSignalThatDoesNotExistIsTerm) {
  host().import("e2e/oddity:1", {"ENTRYPOINT [\"/bin/probe\"]", "STOPSIGNAL SIGNONSENSE"});
  must({"run", "-d", "--name", "job", "e2e/oddity:1", "trap", "5"});
  ASSERT_TRUE(logs_show("job", "ready"));
  must({"stop", "job"});
  EXPECT_EQ("5", host().inspect("job", "{{.State.ExitCode}}"));
  must({"rm", "job"});
  must({"rmi", "e2e/oddity:1"});
}

TEST_F(Lifecycle, KillSendsTheSignalAsked) {
  start_probe("job", {}, {"trap", "9"});
  ASSERT_TRUE(logs_show("job", "ready"));
  must({"kill", "-s", "HUP", "job"});
  EXPECT_TRUE(logs_show("job", "got 1"));
  must({"kill", "--signal", "SIGTERM", "job"});
  EXPECT_EQ("9", must({"wait", "job"}));
  const Outcome outcome = fermata({"kill", "job"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("not running"));
}

TEST_F(Lifecycle, RemoveOnExitRemoves) {
  must({"run", "-d", "--rm", "--name", "brief", kProbeImage, "wait"});
  must({"stop", "brief"});
  EXPECT_TRUE(eventually([] { return fermata({"ps", "-a", "-q"}).out.empty(); }));
  // Its name is free again.
  EXPECT_EQ(0, fermata({"run", "--rm", "--name", "brief", kBase, "true"}).code);
}

TEST_F(Lifecycle, ARunningContainerIsRemovedOnlyByForce) {
  start_probe("job", {}, {"ignore"});
  const Outcome outcome = fermata({"rm", "job"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("running"));
  EXPECT_EQ("job", must({"rm", "-f", "job"}));
}

TEST_F(Lifecycle, ANameInUseIsRefused) {
  must({"create", "--name", "taken", kProbeImage, "wait"});
  const Outcome outcome = fermata({"run", "--name", "taken", kProbeImage, "wait"});
  EXPECT_EQ(125, outcome.code);
  EXPECT_THAT(outcome.err, HasSubstr("taken"));
  EXPECT_THAT(outcome.err, HasSubstr("in use"));
}

TEST_F(Lifecycle, IdsCanBeShortened) {
  const std::string id = must({"create", "--name", "one", kProbeImage, "wait"});
  EXPECT_EQ("/one", host().inspect(id.substr(0, 12), "{{.Name}}"));
  EXPECT_EQ("/one", host().inspect(id.substr(0, 5), "{{.Name}}"));
}

TEST_F(Lifecycle, NamesAreMadeUpAndDiffer) {
  must({"create", kBase, "true"});
  must({"create", kBase, "true"});
  const auto names = lines_of(must({"ps", "-a", "--format", "{{.Names}}"}));
  ASSERT_EQ(2U, names.size());
  EXPECT_NE(names[0], names[1]);
  EXPECT_FALSE(names[0].empty());
}

TEST_F(Lifecycle, WaitReturnsWhenItEnds) {
  start_probe("job", {}, {"trap", "6"});
  ASSERT_TRUE(logs_show("job", "ready"));
  auto waiting = host().start({"wait", "job"});
  EXPECT_FALSE(waiting->read_until("6", 0.2));
  must({"kill", "-s", "TERM", "job"});
  const Outcome outcome = waiting->wait();
  EXPECT_EQ("6\n", outcome.out);
  EXPECT_EQ(0, outcome.code);
}

TEST_F(Lifecycle, AttachedRunForwardsSignals) {
  auto running = host().start({"run", "--rm", "--name", "job", kProbeImage, "trap", "7"});
  ASSERT_TRUE(running->read_until("ready"));
  running->signal(SIGTERM);
  EXPECT_EQ(7, running->wait().code);
}

TEST_F(Lifecycle, OneBadNameDoesNotStopTheOthers) {
  start_probe("one", {}, {"wait"});
  start_probe("two", {}, {"wait"});
  const Outcome outcome = fermata({"stop", "one", "no-such", "two"});
  EXPECT_EQ(1, outcome.code);
  EXPECT_EQ("one\ntwo\n", outcome.out);
  EXPECT_THAT(outcome.err, HasSubstr("no-such"));
  EXPECT_FALSE(host().is_running("one"));
  EXPECT_FALSE(host().is_running("two"));
  const Outcome forced = fermata({"rm", "-f", "no-such"});
  EXPECT_EQ(0, forced.code);
  EXPECT_EQ("", forced.out);
  EXPECT_THAT(forced.err, HasSubstr("No such container: no-such"));
  const Outcome removed = fermata({"rm", "no-such", "one", "two"});
  EXPECT_EQ(1, removed.code);
  EXPECT_EQ("one\ntwo\n", removed.out);
}

TEST_F(Lifecycle, PsShowsDockersTable) {
  const std::string id = must({"run", "-d", "--name", "shown", "-p", "127.0.0.1:0:80", kProbeImage, "wait"});
  must({"create", "--name", "hidden", kBase, "true"});
  const auto lines = lines_of(must({"ps"}));
  ASSERT_EQ(2U, lines.size());
  EXPECT_THAT(lines[0], MatchesRegex("CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES"));
  EXPECT_THAT(lines[1], testing::StartsWith(id.substr(0, 12)));
  EXPECT_THAT(lines[1], HasSubstr(kProbeImage));
  EXPECT_THAT(lines[1], HasSubstr("\"/bin/probe wait\""));
  EXPECT_THAT(lines[1], HasSubstr("Up "));
  EXPECT_THAT(lines[1], testing::ContainsRegex("127.0.0.1:[0-9]+->80/tcp"));
  EXPECT_THAT(lines[1], testing::EndsWith("shown"));
  EXPECT_THAT(must({"ps", "-a"}), HasSubstr("Created"));
  EXPECT_EQ(id.substr(0, 12), must({"ps", "-q"}));
  EXPECT_EQ(id, must({"ps", "-q", "--no-trunc"}));
}

TEST_F(Lifecycle, PsFiltersAndFormats) {
  start_probe("web-1", {"--label", "tier=web"}, {"wait"});
  start_probe("web-2", {"--label", "tier=web", "--label", "blue"}, {"wait"});
  must({"create", "--name", "db", "--label", "tier=db", kBase, "true"});
  const auto names = [](const Arguments& filters) {
    Arguments arguments{"ps", "-a", "--format", "{{.Names}}"};
    for (const auto& filter : filters) arguments.insert(arguments.end(), {"--filter", filter});
    auto lines = lines_of(must(arguments));
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  using testing::ElementsAre;
  EXPECT_THAT(names({"label=tier=web"}), ElementsAre("web-1", "web-2"));
  EXPECT_THAT(names({"label=blue"}), ElementsAre("web-2"));
  EXPECT_THAT(names({"name=web"}), ElementsAre("web-1", "web-2"));
  EXPECT_THAT(names({"status=created"}), ElementsAre("db"));
  EXPECT_THAT(names({"status=running", "name=1"}), ElementsAre("web-1"));
  EXPECT_THAT(names({"ancestor=" + kBase}), ElementsAre("db"));
  EXPECT_EQ("db", must({"ps", "-l", "--format", "{{.Names}}"}));
  EXPECT_EQ("web-2 running", must({"ps", "--filter", "name=web-2", "--format", "{{.Names}} {{.State}}"}));
  EXPECT_THAT(must({"ps", "--format", "json"}), HasSubstr("\"Names\":\"web-1\""));
}

TEST_F(Lifecycle, InspectIsDockersJson) {
  start_probe("job", {"-e", "A=b", "-w", "/tmp", "--label", "k=v", "--hostname", "box", "-m", "64m"},
              {"wait"});
  EXPECT_EQ("/job", host().inspect("job", "{{.Name}}"));
  EXPECT_EQ("running true", host().inspect("job", "{{.State.Status}} {{.State.Running}}"));
  EXPECT_EQ("box", host().inspect("job", "{{.Config.Hostname}}"));
  EXPECT_EQ("/tmp", host().inspect("job", "{{.Config.WorkingDir}}"));
  EXPECT_EQ("v", host().inspect("job", "{{index .Config.Labels \"k\"}}"));
  EXPECT_EQ("67108864", host().inspect("job", "{{.HostConfig.Memory}}"));
  EXPECT_EQ("/bin/probe", host().inspect("job", "{{.Path}}"));
  EXPECT_EQ("[wait]", host().inspect("job", "{{.Args}}"));
  EXPECT_THAT(host().inspect("job", "{{range .Config.Env}}{{.}};{{end}}"), HasSubstr("A=b;"));
  EXPECT_THAT(host().inspect("job", "{{json .State}}"), HasSubstr("\"Status\":\"running\""));
  EXPECT_THAT(host().inspect("job", "{{.NetworkSettings.IPAddress}}"),
              MatchesRegex("10\\.[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(must({"inspect", "job"}), testing::StartsWith("[\n"));
  const Outcome missing = fermata({"inspect", "nobody"});
  EXPECT_EQ(1, missing.code);
  EXPECT_THAT(missing.err, HasSubstr("nobody"));
}

TEST_F(Lifecycle, LogsCanBeTailedStampedAndFollowed) {
  must({"run", "--name", "talk", kBase, "sh", "-c",
        "for i in 1 2 3 4 5; do echo line $i; done; echo bad >&2"});
  const Outcome all = fermata({"logs", "talk"});
  EXPECT_EQ("line 1\nline 2\nline 3\nline 4\nline 5\n", all.out);
  EXPECT_EQ("bad\n", all.err);
  const Outcome tail = fermata({"logs", "--tail", "2", "talk"});
  EXPECT_EQ("line 5\n", tail.out);
  EXPECT_EQ("bad\n", tail.err);
  EXPECT_EQ("", fermata({"logs", "--tail", "0", "talk"}).out);
  EXPECT_THAT(fermata({"logs", "-t", "--tail", "2", "talk"}).out,
              MatchesRegex("20[0-9-]+T[0-9:.]+Z line 5\n"));
  EXPECT_EQ("", fermata({"logs", "--since", "2099-01-01T00:00:00Z", "talk"}).out);
  EXPECT_EQ(all.out, fermata({"logs", "--since", "10m", "talk"}).out);

  must({"run", "-d", "--name", "slow", kBase, "sh", "-c", "echo first; sleep 1; echo second"});
  auto following = host().start({"logs", "-f", "slow"});
  EXPECT_TRUE(following->read_until("first\n"));
  const Outcome followed = following->wait();
  EXPECT_EQ("first\nsecond\n", followed.out);
  EXPECT_EQ(0, followed.code);
}

TEST_F(Lifecycle, RestartKeepsWhatTheContainerWrote) {
  must({"run", "--name", "keeper", kBase, "sh", "-c", "cat /tmp/seen 2>/dev/null; echo again >> /tmp/seen"});
  EXPECT_EQ("again", must({"start", "-a", "keeper"}));
  EXPECT_EQ("again\nagain", must({"start", "-a", "keeper"}));
}

TEST_F(Lifecycle, RestartKeepsAContainerThatIsRemovedOnExit) {
  must({"run", "-d", "--rm", "--name", "job", kProbeImage, "trap", "0"});
  const std::string id = host().inspect("job", "{{.Id}}");
  for (int round = 0; round < rounds(5); ++round) {
    ASSERT_TRUE(logs_show("job", "ready"));
    must({"restart", "job"});
    EXPECT_TRUE(host().is_running("job"));
    EXPECT_EQ(id, host().inspect("job", "{{.Id}}"));
  }
  must({"stop", "-t", "0", "job"});
  EXPECT_EQ("", must({"ps", "-aq"}));
}

TEST_F(Lifecycle, AnAttachedRunLeavesWhatWasRestarted) {
  auto running = host().start({"run", "--rm", "--name", "job", kProbeImage, "trap", "7"});
  ASSERT_TRUE(running->read_until("ready"));
  must({"restart", "job"});
  const Outcome outcome = running->wait();
  EXPECT_EQ(7, outcome.code);
  EXPECT_EQ("", outcome.err);
  EXPECT_TRUE(host().is_running("job"));
}

TEST_F(Lifecycle, WhatEndsRightAfterItsRestartIsRemoved) {
  must({"run", "-d", "--rm", "--name", "job", "-v", "/seen", kBase, "sh", "-c",
        "test -e /seen/once || { touch /seen/once; exec probe wait; }"});
  ASSERT_TRUE(eventually([] { return fermata({"exec", "job", "test", "-e", "/seen/once"}).ok(); }));
  must({"restart", "job"});
  EXPECT_TRUE(eventually([] { return must({"ps", "-aq"}).empty(); }));
}

TEST_F(Lifecycle, ExecRunsBesideAndTellsItsOwnExitCode) {
  start_probe("job", {"-e", "A=b", "-w", "/tmp"}, {"wait"});
  EXPECT_EQ(4, fermata({"exec", "job", "probe", "exit", "4"}).code);
  EXPECT_EQ(127, fermata({"exec", "job", "no-such-program"}).code);
  EXPECT_EQ(126, fermata({"exec", "job", "/etc/passwd"}).code);
  EXPECT_EQ("b c /tmp", must({"exec", "-e", "C=c", "job", "sh", "-c", "echo $A $C $PWD"}));
  EXPECT_EQ("/etc", must({"exec", "-w", "/etc", "job", "pwd"}));
  EXPECT_EQ("1000", must({"exec", "-u", "web", "job", "id", "-u"}));
  must({"stop", "job"});
  const Outcome outcome = fermata({"exec", "job", "true"});
  EXPECT_EQ(1, outcome.code) << "docker's code for a container that does not run";
  EXPECT_THAT(outcome.err, HasSubstr("not running"));
}

TEST_F(Lifecycle, HostnameEnvironmentAndFiles) {
  const std::string seen =
      in_container({"--hostname", "box", "--add-host", "db:10.1.2.3", "--dns", "192.0.2.53", "--dns-search",
                    "example.org"},
                   {"sh", "-c", "hostname; cat /etc/hosts /etc/resolv.conf /etc/hostname; env"})
          .out;
  for (const char* part : {"box\n", "10.1.2.3\tdb", "nameserver 192.0.2.53", "search example.org",
                           "HOSTNAME=box", "HOME=/root", "127.0.0.1\tlocalhost"})
    EXPECT_THAT(seen, HasSubstr(part));
}

TEST_F(Lifecycle, EnvFilesAndTheClientsEnvironment) {
  spill(scratch("env"), "# a comment\nFROM_FILE=yes\nINHERITED\n");
  const Outcome outcome =
      fermata({"run", "--rm", "--env-file", scratch("env"), "-e", "GIVEN", "-e", "X=", kBase, "env"},
              {.env = {{"INHERITED", "1"}, {"GIVEN", "2"}}});
  for (const char* part : {"FROM_FILE=yes\n", "INHERITED=1\n", "GIVEN=2\n", "X=\n"})
    EXPECT_THAT(outcome.out, HasSubstr(part));
}

TEST_F(Lifecycle, EntrypointAndCommandCombineAsDockers) {
  EXPECT_EQ(5, fermata({"run", "--rm", kProbeImage, "exit", "5"}).code);
  EXPECT_EQ("x y", must({"run", "--rm", "--entrypoint", "echo", kProbeImage, "x", "y"}));
  EXPECT_EQ("z", must({"run", "--rm", "--entrypoint", "", kProbeImage, "echo", "z"}));
  const Outcome none = fermata({"run", "--rm", kBase});
  EXPECT_EQ(125, none.code);
  EXPECT_THAT(none.err, HasSubstr("command"));
}

}  // namespace
}  // namespace fermata::e2e
