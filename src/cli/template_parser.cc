// Recursive descent over the tokens, one function per construct of text/template/parse.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "cli/template.h"
#include "cli/template_functions.h"
#include "cli/template_lexer.h"
#include "cli/template_tree.h"

namespace fermata::cli {
namespace tmpl {
namespace {

using Kind = Token::Kind;

// Foreign text must not overflow the stack.
constexpr int kMaxDepth = 200;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<std::unique_ptr<Tree>> run() {
    auto tree = std::make_unique<Tree>();
    TRY(const std::string ended_by, body(tree->nodes));
    if (!ended_by.empty()) return error("unexpected {{{{{}}}}}", ended_by);
    return tree;
  }

 private:
  const Token& peek() const { return tokens_[next_]; }
  const Token& take() { return peek().kind == Kind::end ? tokens_[next_] : tokens_[next_++]; }
  bool accept(Kind kind) {
    if (peek().kind != kind) return false;
    ++next_;
    return true;
  }

  template <class... Args>
  tl::unexpected<Error> error(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorKind::invalid_argument, "template: :{}: {}", peek().line,
                fmt::format(format, std::forward<Args>(args)...));
  }

  // Up to the end ("") or the word that ends a block: "end" or "else", whose {{ and word are taken.
  Result<std::string> body(std::vector<Node>& nodes) {
    if (++depth_ > kMaxDepth) return error("blocks are nested more than {} deep", kMaxDepth);
    for (;;) {
      if (peek().kind == Kind::end) break;
      if (peek().kind == Kind::text) {
        nodes.push_back(Node{.kind = Node::Kind::text, .text = take().text});
        continue;
      }
      take();  // {{
      if (peek().kind == Kind::word && (peek().text == "end" || peek().text == "else")) {
        --depth_;
        return take().text;
      }
      TRY(Node node, action());
      nodes.push_back(std::move(node));
    }
    --depth_;
    return std::string();
  }

  Result<Node> action() {
    const std::string word = peek().kind == Kind::word ? peek().text : std::string();
    if (word == "if") return block(Node::Kind::if_, "if");
    if (word == "range") return block(Node::Kind::range, "range");
    if (word == "with") return block(Node::Kind::with, "with");
    if (word == "break" || word == "continue") {
      take();
      if (ranges_ == 0) return error("{{{{{}}}}} outside {{{{range}}}}", word);
      TRY(close(word));
      return Node{.kind = word == "break" ? Node::Kind::break_ : Node::Kind::continue_};
    }
    if (word == "define" || word == "template" || word == "block")
      return error("{{{{{}}}}} is not supported here", word);
    Node node{.kind = Node::Kind::action};
    const std::size_t variables = variables_.size();
    TRY(node.pipeline, pipeline("command", Kind::close, false));
    if (node.pipeline.assign) variables_.resize(variables);
    return node;
  }

  Result<void> close(std::string_view where) {
    if (!accept(Kind::close)) return error("unexpected \"{}\" in {}", peek().text, where);
    return {};
  }

  // {{if p}} ... {{else if q}} ... {{else}} ... {{end}}; likewise range and with. Variables end with the
  // block.
  Result<Node> block(Node::Kind kind, const char* name) {
    take();  // the word
    if (++depth_ > kMaxDepth) return error("blocks are nested more than {} deep", kMaxDepth);
    Node node{.kind = kind};
    const std::size_t variables = variables_.size();
    TRY(node.pipeline, pipeline(name, Kind::close, kind == Node::Kind::range));
    ranges_ += kind == Node::Kind::range ? 1 : 0;
    TRY(std::string ended_by, body(node.body));
    ranges_ -= kind == Node::Kind::range ? 1 : 0;
    if (ended_by == "else") {
      if (peek().kind == Kind::word && peek().text == name && kind != Node::Kind::range) {
        TRY(Node inner, block(kind, name));
        node.otherwise.push_back(std::move(inner));
        variables_.resize(variables);
        --depth_;
        return node;  // the inner one took the common {{end}}
      }
      TRY(close("else"));
      TRY(ended_by, body(node.otherwise));
      if (ended_by == "else") return error("unexpected {{{{else}}}}");
    }
    if (ended_by.empty()) return error("unexpected EOF");
    TRY(close("end"));
    variables_.resize(variables);
    --depth_;
    return node;
  }

  Result<Pipeline> pipeline(std::string_view where, Kind until, bool range) {
    Pipeline result;
    TRY(declarations(result, range));
    do {
      TRY(Command one, command(until));
      if (one.operands.empty()) return error("missing value for {}", where);
      result.commands.push_back(std::move(one));
    } while (accept(Kind::pipe));
    if (peek().kind == Kind::end) return error("unclosed action");
    if (!accept(until)) return error("unexpected \"{}\" in {}", peek().text, where);
    for (std::size_t i = 1; i < result.commands.size(); ++i)
      if (result.commands[i].operands[0].kind == Operand::Kind::literal)
        return error("non executable command in pipeline stage {}", i + 1);
    if (!result.assign) variables_.insert(variables_.end(), result.variables.begin(), result.variables.end());
    return result;
  }

  // $x := , $x = , and for range $i, $x :=
  Result<void> declarations(Pipeline& result, bool range) {
    const auto kind = [&](std::size_t ahead) {
      return tokens_[std::min(next_ + ahead, tokens_.size() - 1)].kind;
    };
    std::size_t length = 0;
    if (kind(0) != Kind::variable) return {};
    if (range && kind(1) == Kind::comma && kind(2) == Kind::variable)
      length = 3;
    else
      length = 1;
    if (kind(length) != Kind::declare && kind(length) != Kind::assign) return {};
    for (std::size_t i = 0; i < length; i += 2) result.variables.push_back(tokens_[next_ + i].text);
    result.assign = kind(length) == Kind::assign;
    next_ += length + 1;
    if (result.assign)
      for (const std::string& name : result.variables)
        if (!known(name)) return error("undefined variable \"{}\"", name);
    return {};
  }

  bool known(const std::string& name) const {
    return name == "$" || std::find(variables_.begin(), variables_.end(), name) != variables_.end();
  }

  Result<Command> command(Kind until) {
    Command result;
    while (peek().kind != Kind::pipe && peek().kind != until && peek().kind != Kind::end) {
      if (!result.operands.empty() && !peek().space_before && peek().kind != Kind::left)
        return error("unexpected \"{}\" in operand", peek().text);
      TRY(Operand one, operand());
      result.operands.push_back(std::move(one));
    }
    return result;
  }

  Result<Operand> operand() {
    Operand result;
    const Token token = take();
    result.line = token.line;
    result.column = token.column;
    switch (token.kind) {
      case Kind::dot:
        result.source = ".";
        return result;
      case Kind::field:
        result.fields.push_back(token.text);
        result.source = "." + token.text;
        break;
      case Kind::variable:
        if (!known(token.text)) return error("undefined variable \"{}\"", token.text);
        result.kind = Operand::Kind::variable;
        result.name = result.source = token.text;
        break;
      case Kind::left:
        TRY(parenthesized(result));
        break;
      case Kind::word:
        return word(std::move(result), token.text);
      case Kind::string:
        return literal(std::move(result), Value(token.text), json_quote(token.text));
      case Kind::character:
        if (token.text.size() != 1) return error("malformed character constant: '{}'", token.text);
        return literal(std::move(result), Value(static_cast<int>(static_cast<unsigned char>(token.text[0]))),
                       token.text);
      case Kind::number:
        return number(std::move(result), token.text);
      default:
        return error("unexpected \"{}\" in operand", token.text);
    }
    while (peek().kind == Kind::field && !peek().space_before) {
      result.source += "." + peek().text;
      result.fields.push_back(take().text);
    }
    return result;
  }

  Result<void> parenthesized(Operand& result) {
    if (++depth_ > kMaxDepth) return error("parentheses are nested more than {} deep", kMaxDepth);
    result.kind = Operand::Kind::pipeline;
    TRY(Pipeline inner, pipeline("parenthesized pipeline", Kind::right, false));
    result.pipeline = std::make_unique<Pipeline>(std::move(inner));
    result.source = "(...)";
    --depth_;
    return {};
  }

  static Result<Operand> literal(Operand result, Value value, std::string source) {
    result.kind = Operand::Kind::literal;
    result.literal = std::move(value);
    result.source = std::move(source);
    return result;
  }

  Result<Operand> word(Operand result, const std::string& text) {
    if (text == "true" || text == "false") return literal(std::move(result), Value(text == "true"), text);
    if (text == "nil") return literal(std::move(result), Value(), text);
    if (!is_function(text)) return error("function \"{}\" not defined", text);
    result.kind = Operand::Kind::function;
    result.name = result.source = text;
    return result;
  }

  Result<Operand> number(Operand result, const std::string& text) {
    const std::string_view digits =
        text.starts_with('+') ? std::string_view(text).substr(1) : std::string_view(text);
    if (const auto whole = parse_signed(digits)) return literal(std::move(result), Value(*whole), text);
    if (digits.starts_with("0x"))
      if (const auto whole = parse_unsigned(digits.substr(2), 16))
        return literal(std::move(result), Value(*whole), text);
    double real = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), real);
    if (failed != std::errc() || end != digits.data() + digits.size())
      return error("bad number syntax: \"{}\"", text);
    return literal(std::move(result), Value(real), text);
  }

  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0, ranges_ = 0;
  std::vector<std::string> variables_;
};

}  // namespace
}  // namespace tmpl

Template::Template(std::unique_ptr<tmpl::Tree> tree) : tree_(std::move(tree)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::parse(std::string_view text) {
  auto tokens = tmpl::tokenize(text);
  if (!tokens) return fail_with(std::move(tokens.error()), "template parsing error");
  auto tree = tmpl::Parser(std::move(*tokens)).run();
  if (!tree) return fail_with(std::move(tree.error()), "template parsing error");
  return Template(std::move(*tree));
}

}  // namespace fermata::cli
