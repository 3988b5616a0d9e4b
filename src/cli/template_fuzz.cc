// Any text is either a template or an error; executing it ends.
#include <cstddef>
#include <cstdint>

#include "cli/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fermata::cli::Value;
  const Value root = Value::object(
      {{"A", Value::strings({"x", "y"})}, {"B", Value::object({{"C", 1}, {"D", nullptr}})}, {"E", "text"}});
  const auto parsed = fermata::cli::Template::parse({reinterpret_cast<const char*>(data), size});
  if (parsed) (void)parsed->execute(root);
  return 0;
}
