// Tables and --format of listing commands, as docker prints them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/value.h"

namespace fermata::cli {

// Lines of tab-separated cells -> columns at least 10 wide, 3 spaces between them (Go's tabwriter with
// docker's settings).
std::string align_columns(std::string_view lines);

struct Column {
  std::string_view field;   // a row's member
  std::string_view header;  // "CONTAINER ID"
};

struct ListFormat {
  std::string format;           // --format: "", "table", "table TEMPLATE", "json", "TEMPLATE"
  std::vector<Column> columns;  // of the plain table
  std::vector<Column>
      headers;  // every member that has a title, for "table TEMPLATE"; the columns' own are known
};

// Rows are objects. The result ends with a newline unless it is empty.
Result<std::string> print_list(const ListFormat& format, const std::vector<Value>& rows);
// One object with --format ("" is not allowed): "json" or a template; without a final newline.
Result<std::string> print_one(std::string_view format, const Value& value);

}  // namespace fermata::cli
