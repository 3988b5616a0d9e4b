// The file that we are executed from, out of reach for containers.
//
// A child that enters the PID namespace of a container shows our program there, as /proc/<pid>/exe, until it
// executes fermata-init. A container with CAP_SYS_PTRACE can keep hold of it and write to it once we have
// ended (CVE-2019-5736): before such a child is made we execute ourselves through a read-only mount.
#pragma once

#include <string>

#include "base/error.h"

namespace fermata::cli::oci {

struct OwnProgram {
  std::string path;
  bool read_only = false;  // where we run from

  std::string directory() const { return path.substr(0, path.rfind('/')); }
};

// `called`: argv[0], which tells the path to who was executed by protect().
Result<OwnProgram> own_program(const std::string& called);

// Returns when we run from a read-only mount; otherwise this program begins anew with the same arguments. For
// before anything was done.
Result<void> protect(const OwnProgram& program);

}  // namespace fermata::cli::oci
