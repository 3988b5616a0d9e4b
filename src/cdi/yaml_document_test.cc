#include "cdi/yaml_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata::cdi {
namespace {

using oci::Json;
using ::testing::HasSubstr;

std::string parsed(std::string_view text) {
  const auto json = parse_bounded_yaml(text, "it");
  return json ? json->dump() : json.error().message();
}

TEST(YamlDocument, ScalarsAreWhatTheyLookLike) {
  EXPECT_EQ(parsed("{a: 0660, b: 0x1f, c: 0o17, d: 12, e: -3, f: 1.5, g: 1.1.0, h: nan, i: '7', j: 08}"),
            R"({"a":432,"b":31,"c":15,"d":12,"e":-3,"f":1.5,"g":"1.1.0","h":"nan","i":"7","j":8.0})");
  EXPECT_EQ(parsed("{a: true, b: False, c: yes, d: ~, e: null, f: , g: '', h: !!str 1}"),
            R"({"a":true,"b":false,"c":"yes","d":null,"e":null,"f":null,"g":"","h":"1"})");
}

TEST(YamlDocument, AnchorsAreCopied) {
  EXPECT_EQ(parsed("a: &x [1, {b: 2}]\nc: *x\n"), R"({"a":[1,{"b":2}],"c":[1,{"b":2}]})");
}

TEST(YamlDocument, WhatIsWrongIsNamed) {
  EXPECT_THAT(parsed("a: [1\nb: 2"), HasSubstr("it: not YAML at line 2: "));
  EXPECT_EQ(parsed("a: 1\na: 2"), "it: a second 'a' at line 2");
  EXPECT_EQ(parsed("a: 1\n---\nb: 1"), "it: more than one YAML document");
  EXPECT_EQ(parsed("- 1"), "it: not a YAML mapping");
  EXPECT_EQ(parsed(""), "it: not a YAML mapping");
  EXPECT_EQ(parsed("a: !!set {}"), "it: the tag 'tag:yaml.org,2002:set' at line 1");
  EXPECT_EQ(parsed("[1]: 2"), "it: a key that is no text at line 1");
}

TEST(YamlDocument, IsBounded) {
  EXPECT_EQ(parsed("a: " + std::string(70, '[') + std::string(70, ']')), "it: more than 64 levels at line 1");
  std::string laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    laughs += fmt::format("{0}: &{0} [", name);
    for (int i = 0; i < 10; ++i) laughs += fmt::format("*{},", static_cast<char>(name - 1));
    laughs += "]\n";
  }
  EXPECT_THAT(parsed(laughs), HasSubstr("it: more than 100000 nodes at line "));
  EXPECT_EQ(parsed(std::string((1u << 20) + 1, '#')), "it: larger than 1 MiB");
}

}  // namespace
}  // namespace fermata::cdi
