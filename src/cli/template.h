// Go's text/template, as far as --format needs it: fields, variables, pipelines, if/else if/else, range
// (break, continue), with, comments, white-space trimming, the built-in functions and docker's (json, split,
// join, upper, ...). Not: define, template, block.
//
// Errors are docker's: "template parsing error: template: :1: unclosed action".
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/value.h"

namespace fermata::cli {

namespace tmpl {
struct Tree;
}

class Template {
 public:
  static Result<Template> parse(std::string_view text);
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // `header`: the values are column titles, which functions leave as they are (docker's "table" formats).
  Result<std::string> execute(const Value& root, bool header = false) const;

 private:
  explicit Template(std::unique_ptr<tmpl::Tree> tree);
  std::unique_ptr<tmpl::Tree> tree_;
};

}  // namespace fermata::cli
