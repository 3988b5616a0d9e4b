#include "cli/template.h"

#include <gtest/gtest.h>

#include "cli/template_functions.h"

namespace fermata::cli {
namespace {

Value sample() {
  return Value::object({
      {"Name", "/web"},
      {"State", Value::object({{"Pid", 42}, {"Running", true}, {"Error", ""}})},
      {"Args", Value::strings({"a", "b", "c"})},
      {"Empty", Value(Value::List{})},
      {"Nothing", nullptr},
      {"NilList", Value::nil_list()},
      {"Labels", Value::map({{"role", "front"}}, "")},
      {"Ports", Value::object({{"80/tcp", Value(Value::List{Value::object({{"HostPort", "8080"}})})},
                               {"443/tcp", nullptr}})},
      {"Label", Value::function([](const Value::List& arguments) -> Result<Value> {
         return Value("L:" + arguments[0].print());
       })},
  });
}

std::string run(std::string_view text) {
  const auto parsed = Template::parse(text);
  if (!parsed) return "parse: " + parsed.error().message();
  const auto out = parsed->execute(sample());
  return out ? *out : "run: " + out.error().message();
}

TEST(Template, FieldsAndText) {
  EXPECT_EQ(run("x{{.Name}}y"), "x/weby");
  EXPECT_EQ(run("{{.State.Pid}} {{.State.Running}}"), "42 true");
  EXPECT_EQ(run("{{$.State.Pid}}"), "42");
  EXPECT_EQ(run("{{(index .Ports \"80/tcp\")}}"), "[map[HostPort:8080]]");
  EXPECT_EQ(run("{{(index (index .Ports \"80/tcp\") 0).HostPort}}"), "8080");
  EXPECT_EQ(run("{{.Nothing}}"), "<no value>");
  EXPECT_EQ(run("{{.Args}}"), "[a b c]");
  EXPECT_EQ(run("{{.Label \"k\"}}"), "L:k");
}

TEST(Template, Conditions) {
  EXPECT_EQ(run("{{if .State.Running}}up{{else}}down{{end}}"), "up");
  EXPECT_EQ(run("{{if .State.Error}}bad{{else if eq .State.Pid 42}}42{{else}}other{{end}}"), "42");
  EXPECT_EQ(run("{{if and .State.Running (gt .State.Pid 40)}}y{{end}}"), "y");
  EXPECT_EQ(run("{{if or .State.Error .Empty}}y{{else}}n{{end}}"), "n");
  EXPECT_EQ(run("{{if not .Empty}}empty{{end}}"), "empty");
  EXPECT_EQ(run("{{if ne .Name \"/web\"}}a{{else}}b{{end}}"), "b");
  EXPECT_EQ(run("{{eq .State.Pid 1 2 42}}"), "true");
  EXPECT_EQ(run("{{with .State}}{{.Pid}}{{end}}{{with .Empty}}x{{else}}none{{end}}"), "42none");
}

TEST(Template, Range) {
  EXPECT_EQ(run("{{range .Args}}<{{.}}>{{end}}"), "<a><b><c>");
  EXPECT_EQ(run("{{range $i, $a := .Args}}{{if $i}},{{end}}{{$i}}{{$a}}{{end}}"), "0a,1b,2c");
  EXPECT_EQ(run("{{range $p, $b := .Ports}}{{$p}} {{end}}"), "443/tcp 80/tcp ");
  EXPECT_EQ(run("{{range $p, $conf := .Ports}}{{$p}}->{{range $conf}}{{.HostPort}}{{end}};{{end}}"),
            "443/tcp->;80/tcp->8080;");
  EXPECT_EQ(run("{{range .Empty}}x{{else}}none{{end}}"), "none");
  EXPECT_EQ(run("{{range .Args}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}"), "a");
  EXPECT_EQ(run("{{range .Args}}{{if eq . \"b\"}}{{continue}}{{end}}{{.}}{{end}}"), "ac");
}

TEST(Template, Variables) {
  EXPECT_EQ(run("{{$x := .Name}}{{range .Args}}{{$x}}{{end}}"), "/web/web/web");
  EXPECT_EQ(run("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}"), "2");
  EXPECT_EQ(run("{{if true}}{{$y := 1}}{{end}}{{$y}}"),
            "parse: template parsing error: template: :1: undefined variable \"$y\"");
}

TEST(Template, TrimAndComments) {
  EXPECT_EQ(run("a  {{- .Name -}}  b"), "a/webb");
  EXPECT_EQ(run("a {{/* note */}} b"), "a  b");
  EXPECT_EQ(run("a {{- /* note */ -}} b"), "ab");
}

TEST(Template, Functions) {
  EXPECT_EQ(run("{{json .State}}"), R"({"Pid":42,"Running":true,"Error":""})");
  EXPECT_EQ(run("{{.Args | json}}"), R"(["a","b","c"])");
  EXPECT_EQ(run("{{join .Args \"-\"}} {{.Name | upper}} {{title \"web\"}}"), "a-b-c /WEB Web");
  EXPECT_EQ(run("{{index (split .Name \"/\") 1}}"), "web");
  EXPECT_EQ(run("{{len .Args}} {{len .Name}}"), "3 4");
  EXPECT_EQ(run("{{slice .Name 1}} {{slice .Name 1 3}}"), "web we");
  EXPECT_EQ(run("{{printf \"%s=%d %q|%5d|%-5s|%05d\" .Name .State.Pid \"x\" 7 \"ab\" 42}}"),
            "/web=42 \"x\"|    7|ab   |00042");
  EXPECT_EQ(run("{{println 1 2}}"), "1 2\n");
  EXPECT_EQ(run("{{truncate .Name 2}}|{{pad \"x\" 1 2}}|"), "/w| x  |");
  EXPECT_EQ(run("{{index .Ports \"1/tcp\"}}"), "<no value>");
}

TEST(Template, KeysOfAMapMayBeAbsent) {
  EXPECT_EQ(run("{{.Labels.role}} {{.Labels.none}} {{index .Labels \"none\"}}."), "front <no value> .");
  EXPECT_EQ(run("{{if .Labels.none}}y{{else}}n{{end}}"), "n");
}

TEST(Template, NilListsAreEmpty) {
  EXPECT_EQ(run("{{.NilList}} {{len .NilList}} {{json .NilList}} {{printf \"%v\" .NilList}}"),
            "[] 0 null []");
  EXPECT_EQ(run("{{range .NilList}}x{{else}}none{{end}}{{join .NilList \",\"}}"), "none");
}

TEST(Template, PrintfTellsWhatDoesNotFit) {
  EXPECT_EQ(tmpl::go_printf("%d", {Value("x")}), "%!d(string=x)");
  EXPECT_EQ(tmpl::go_printf("%s", {}), "%!s(MISSING)");
  EXPECT_EQ(tmpl::go_printf("a", {Value(1)}), "a%!(EXTRA int=1)");
  EXPECT_EQ(tmpl::go_printf("100%", {}), "100%!(NOVERB)");
}

TEST(Template, ParseErrors) {
  EXPECT_EQ(run("{{.Foo"), "parse: template parsing error: template: :1: unclosed action");
  EXPECT_EQ(run("{{foo}}"), "parse: template parsing error: template: :1: function \"foo\" not defined");
  EXPECT_EQ(run("{{if true}}"), "parse: template parsing error: template: :1: unexpected EOF");
  EXPECT_EQ(run("{{end}}"), "parse: template parsing error: template: :1: unexpected {{end}}");
  EXPECT_EQ(run("{{}}"), "parse: template parsing error: template: :1: missing value for command");
  EXPECT_EQ(run("\n{{\"x}}"), "parse: template parsing error: template: :2: unterminated quoted string");
  EXPECT_EQ(run("{{/* x}}"), "parse: template parsing error: template: :1: unclosed comment");
  EXPECT_EQ(run("{{break}}"), "parse: template parsing error: template: :1: {{break}} outside {{range}}");
}

TEST(Template, ExecutionErrors) {
  EXPECT_EQ(run("{{.Foo}}"),
            "run: template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"");
  EXPECT_EQ(run("{{.Name.X}}"),
            "run: template: :1:2: executing \"\" at <.Name.X>: can't evaluate field X in type string");
  EXPECT_EQ(run("{{index .Args 9}}"),
            "run: template: :1:2: executing \"\" at <index>: error calling index: index out of range: 9");
  EXPECT_EQ(run("{{.Name 1}}"),
            "run: template: :1:2: executing \"\" at <.Name>: .Name has arguments but cannot be invoked as "
            "function");
}

TEST(Template, DeepNestingIsRefused) {
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "{{if true}}";
  EXPECT_NE(run(text).find("nested more than"), std::string::npos);
  EXPECT_NE(run("{{" + std::string(10000, '(') + "}}").find("nested more than"), std::string::npos);
}

}  // namespace
}  // namespace fermata::cli
