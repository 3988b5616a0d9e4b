// fermata-oci: a runtime of OCI bundles, for engines that would otherwise start runc.
#include <string>
#include <vector>

#include "cli/oci/command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  return fermata::cli::oci::run_command_line(FERMATA_VERSION, words);
}
