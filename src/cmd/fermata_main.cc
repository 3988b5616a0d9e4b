// fermata: the command line.
#include <sys/stat.h>

#include <string>
#include <vector>

#include "cli/command.h"

int main(int argc, char** argv) {
  // What is made here belongs to the engine: a caller's narrow mask would lock a container's users out of
  // their own root directory, a wide one would let strangers write into it.
  ::umask(0022);
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return fermata::cli::run_command_line(FERMATA_VERSION, words);
}
