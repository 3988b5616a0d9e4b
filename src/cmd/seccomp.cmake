# The default seccomp profile stands beside the programs; it comes from Debian's golang-github-containers-common.
find_file(FERMATA_SECCOMP_PROFILE seccomp.json
  PATHS /usr/share/containers /usr/share/gocode/src/github.com/containers/common/pkg/seccomp NO_DEFAULT_PATH)
if(NOT FERMATA_SECCOMP_PROFILE)
  message(FATAL_ERROR "seccomp.json not found: install golang-github-containers-common, "
                      "or pass -DFERMATA_SECCOMP_PROFILE=<docker's default profile>")
endif()
set(seccomp_copy ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/seccomp.json)
add_custom_command(OUTPUT ${seccomp_copy}
  COMMAND ${CMAKE_COMMAND} -E copy ${FERMATA_SECCOMP_PROFILE} ${seccomp_copy}
  DEPENDS ${FERMATA_SECCOMP_PROFILE} VERBATIM)
add_custom_target(seccomp_profile DEPENDS ${seccomp_copy})
add_dependencies(programs seccomp_profile)
