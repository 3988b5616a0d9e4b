// A parsed template: internal to template_*.cc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/value.h"

namespace fermata::cli::tmpl {

struct Pipeline;

struct Operand {
  enum class Kind { literal, dot, variable, function, pipeline };
  Kind kind = Kind::dot;
  Value literal;
  std::string name;                    // of a variable ("$x") or a function
  std::unique_ptr<Pipeline> pipeline;  // in parentheses
  std::vector<std::string> fields;     // .A.B behind it
  std::string source;                  // as written, for messages
  std::size_t line = 1, column = 0;
};

// The first operand is called with the others, or stands alone.
struct Command {
  std::vector<Operand> operands;
};

struct Pipeline {
  std::vector<std::string> variables;  // $x := ...; for range also $i, $x :=
  bool assign = false;                 // "=" instead of ":="
  std::vector<Command> commands;
};

struct Node {
  enum class Kind { text, action, if_, range, with, break_, continue_ };
  Kind kind = Kind::text;
  std::string text;
  Pipeline pipeline;
  std::vector<Node> body, otherwise;
};

struct Tree {
  std::vector<Node> nodes;
};

}  // namespace fermata::cli::tmpl
