# Starts often and does little each time: libraries that would have to be found and relocated at every start (1.4 ms for
# libstdc++, fmt, SQLite, libseccomp and libcrypto) are linked in, or left to the transfer module.
fermata_program(fermata SOURCES fermata_main.cc)
target_compile_definitions(fermata PRIVATE FERMATA_VERSION="${PROJECT_VERSION}")
target_link_options(fermata PRIVATE -Wl,--gc-sections -Wl,--as-needed)
if(NOT FERMATA_SANITIZE AND NOT FERMATA_FUZZ)
  target_link_options(fermata PRIVATE -static-libstdc++ -static-libgcc)
  if(fmt_VERSION MATCHES "^9\\.")
    target_sources(fermata PRIVATE fermata_fmt.cc)
  endif()
  # An archive's member is taken when something asks for it: here before the layers do, whose own answer is the shared library,
  # which --as-needed then drops.
  foreach(library IN ITEMS sqlite3:sqlite3_open_v2 seccomp:seccomp_init)
    string(REGEX MATCH "^[^:]+" name ${library})
    string(REGEX REPLACE "^[^:]+:" "" symbol ${library})
    find_library(FERMATA_STATIC_${name} lib${name}.a)
    if(FERMATA_STATIC_${name})
      target_link_options(fermata PRIVATE -Wl,-u,${symbol})
      target_link_libraries(fermata PRIVATE ${FERMATA_STATIC_${name}})
    endif()
  endforeach()
endif()
target_link_libraries(fermata PRIVATE fermata_cli)
