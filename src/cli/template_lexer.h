// Template text as tokens: internal to template_*.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fermata::cli::tmpl {

struct Token {
  enum class Kind {
    text,
    open,
    close,  // outside {{ and }} themselves
    word,
    field,
    dot,
    variable,  // if, .Name, ., $x
    string,
    number,
    character,
    pipe,
    left,
    right,
    declare,
    assign,
    comma,
    end,
  };
  Kind kind = Kind::end;
  std::string text;  // of string: the value; of field and variable: the name without its mark
  bool space_before = false;
  std::size_t line = 1, column = 0;
};

// The last token is `end`.
Result<std::vector<Token>> tokenize(std::string_view text);

}  // namespace fermata::cli::tmpl
