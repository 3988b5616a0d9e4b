// Messages as those who drive runtimes read them: in the file of --log, a line each, as text or JSON
// ({"level":"error","msg":"...","time":"..."}); and on standard error, in plain words unless JSON was asked for
// and there is no file.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace fermata::cli::oci {

class Log {
 public:
  // `path` "": standard error alone. `format`: "text", "json" or "".
  static Result<Log> open(std::string path, std::string_view format);
  void warning(std::string_view message) const { write("warning", message); }
  // Also on standard error when there is a file.
  void error(std::string_view message) const;

 private:
  Log(std::string path, bool json) : path_(std::move(path)), json_(json) {}
  void write(std::string_view level, std::string_view message) const;
  std::string path_;
  bool json_;
};

}  // namespace fermata::cli::oci
