// fermata: the command line.
#include <string>
#include <vector>

#include "cli/command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return fermata::cli::run_command_line(FERMATA_VERSION, words);
}
