# A program that starts often and does little each time: libraries that would have to be found and relocated at every start
# (1.4 ms for libstdc++, fmt, SQLite, libseccomp and libcrypto) are linked in, or left to a module that is loaded on demand.
# LINK_IN: name:symbol of libraries to be taken from their archives. STATIC: libc, too, where there is an archive of everything,
# which spares another 0.3 ms; for a program that loads no module.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_FLAGS -static-pie)
check_cxx_source_compiles("int main() {}" FERMATA_HAS_STATIC_LIBC)
unset(CMAKE_REQUIRED_FLAGS)

function(fermata_command name)
  cmake_parse_arguments(arg "STATIC" "" "SOURCES;LIBS;LINK_IN" ${ARGN})
  fermata_program(${name} SOURCES ${arg_SOURCES})
  target_compile_definitions(${name} PRIVATE FERMATA_VERSION="${PROJECT_VERSION}")
  target_link_options(${name} PRIVATE -Wl,--gc-sections -Wl,--as-needed)
  if(NOT FERMATA_SANITIZE AND NOT FERMATA_FUZZ)
    set(static ${FERMATA_HAS_STATIC_LIBC})
    if(fmt_VERSION MATCHES "^9\\.")
      target_sources(${name} PRIVATE fermata_fmt.cc)
    else()
      set(static OFF)
    endif()
    # An archive's member is taken when something asks for it: here before the layers do, whose own answer is the shared
    # library, which --as-needed then drops.
    foreach(library IN LISTS arg_LINK_IN)
      string(REGEX MATCH "^[^:]+" archive ${library})
      string(REGEX REPLACE "^[^:]+:" "" symbol ${library})
      find_library(FERMATA_STATIC_${archive} lib${archive}.a)
      if(FERMATA_STATIC_${archive})
        target_link_options(${name} PRIVATE -Wl,-u,${symbol})
        target_link_libraries(${name} PRIVATE ${FERMATA_STATIC_${archive}})
      else()
        set(static OFF)
      endif()
    endforeach()
    if(arg_STATIC AND static)
      # Position-independent all the same: what a bundle's author can reach shall not lie where it always does.
      set_target_properties(${name} PROPERTIES FERMATA_OWN_FMT ON)
      target_link_options(${name} PRIVATE -static-pie)
    else()
      target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc)
    endif()
  endif()
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
endfunction()

fermata_command(fermata SOURCES fermata_main.cc LIBS fermata_cli
  LINK_IN sqlite3:sqlite3_open_v2 seccomp:seccomp_init yaml-cpp:_ZN4YAML6ParserC1ERSi)
fermata_command(fermata-oci STATIC SOURCES oci_main.cc LIBS fermata_cli_oci LINK_IN seccomp:seccomp_init)
