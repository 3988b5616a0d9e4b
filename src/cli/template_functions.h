// The functions of templates: Go's built-in ones and docker's. Internal to template_*.cc, but for
// is_function's use in tests.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/value.h"

namespace fermata::cli::tmpl {

bool is_function(std::string_view name);
// `header`: the values are column titles; docker's functions return them unchanged.
Result<Value> call_function(std::string_view name, const std::vector<Value>& arguments, bool header);
// fmt.Sprintf's %v %s %q %d %x %o %b %c %t %f %g %T %% with width, '-', '0' and precision.
std::string go_printf(std::string_view format, const std::vector<Value>& arguments);

}  // namespace fermata::cli::tmpl
