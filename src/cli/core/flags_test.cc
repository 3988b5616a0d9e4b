#include "cli/core/flags.h"

#include <gtest/gtest.h>

#include "base/nearest.h"

namespace fermata::cli {
namespace {

constexpr FlagSpec kSpecs[] = {
    {"detach", 'd'},
    {"interactive", 'i'},
    {"tty", 't'},
    {"publish", 'p', FlagKind::list, "list"},
    {"name", 0, FlagKind::text, "string"},
    {"memory", 'm', FlagKind::text, "bytes"},
    {"net", 0, FlagKind::text, "network", "", "network"},
    {"network", 0, FlagKind::text, "network"},
    {"time", 0, FlagKind::integer, "int"},
};

Result<Flags> parse(const std::vector<std::string>& words, Placement placement = Placement::before_first) {
  return parse_flags(kSpecs, words, placement);
}
std::string error(const std::vector<std::string>& words) {
  const auto flags = parse(words);
  return flags ? "" : flags.error().message();
}

TEST(Flags, FormsOfAValue) {
  const auto flags = parse({"-itp8080:80", "-p", "81:81", "--publish=82:82", "--publish", "83", "-p=84",
                            "--name", "a", "--name=b", "img", "-d"});
  ASSERT_TRUE(flags);
  EXPECT_TRUE(flags->is_set("interactive"));
  EXPECT_TRUE(flags->is_set("tty"));
  EXPECT_FALSE(flags->is_set("detach"));
  EXPECT_EQ(flags->list("publish"), (std::vector<std::string>{"8080:80", "81:81", "82:82", "83", "84"}));
  EXPECT_EQ(flags->text("name"), "b");
  EXPECT_EQ(flags->arguments(), (std::vector<std::string>{"img", "-d"}));
}

TEST(Flags, BooleansAndIntegersAreChecked) {
  EXPECT_FALSE(parse({"--detach=false"})->is_set("detach", true));
  EXPECT_TRUE(parse({"--detach=1"})->is_set("detach"));
  EXPECT_EQ(parse({"--time=-1"})->integer("time"), -1);
  EXPECT_EQ(error({"--time", "x"}),
            "invalid argument \"x\" for \"--time\" flag: \"x\" is not a whole number");
  EXPECT_EQ(error({"--detach=maybe"}),
            "invalid argument \"maybe\" for \"-d, --detach\" flag: \"maybe\" is neither true nor false");
}

TEST(Flags, AliasesShareOneValue) {
  EXPECT_EQ(parse({"--net=host", "--network", "none"})->text("network"), "none");
  EXPECT_EQ(parse({"--network=none", "--net", "host"})->text("network"), "host");
}

TEST(Flags, Placement) {
  const auto mixed = parse({"a", "-d", "b", "--", "-x"}, Placement::anywhere);
  EXPECT_TRUE(mixed->is_set("detach"));
  EXPECT_EQ(mixed->arguments(), (std::vector<std::string>{"a", "b", "-x"}));
  EXPECT_EQ(parse({"--", "-d"})->arguments(), std::vector<std::string>{"-d"});
  EXPECT_EQ(parse({"-"})->arguments(), std::vector<std::string>{"-"});
}

TEST(Flags, MistakesNameTheNearest) {
  EXPECT_EQ(error({"--detatch"}), "unknown flag: --detatch\nDid you mean --detach?");
  EXPECT_EQ(error({"--xyzzy"}), "unknown flag: --xyzzy");
  EXPECT_EQ(error({"-dz"}), "unknown shorthand flag: 'z' in -dz");
  EXPECT_EQ(error({"--name"}), "flag needs an argument: --name");
  EXPECT_EQ(error({"-dp"}), "flag needs an argument: 'p' in -dp");
  EXPECT_EQ(error({"--=x"}), "bad flag syntax: --=x");
}

TEST(Flags, HelpIsAlwaysKnown) {
  EXPECT_TRUE(parse({"--help"})->is_set("help"));
  EXPECT_TRUE(parse({"-h"})->is_set("help"));
}

TEST(Nearest, OnlyWhatIsNear) {
  const std::vector<std::string_view> names = {"run", "rmi", "images", "inspect"};
  EXPECT_EQ(nearest("imagse", names), "images");
  EXPECT_EQ(nearest("inspct", names), "inspect");
  EXPECT_EQ(nearest("zzzzzz", names), "");
  EXPECT_EQ(nearest("", names), "");
}

}  // namespace
}  // namespace fermata::cli
