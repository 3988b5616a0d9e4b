# Compiled from the layer's sources, with its own flags, and where monitor_libc.cc knows the architecture without libc:
# a static glibc alone keeps more memory than the whole monitor. Never with a sanitizer, whose runtime needs libc.
set(monitor_layer ${PROJECT_SOURCE_DIR}/src/monitor)
file(GLOB monitor_sources CONFIGURE_DEPENDS ${monitor_layer}/*.cc)
list(FILTER monitor_sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
list(APPEND monitor_sources ${PROJECT_SOURCE_DIR}/src/kernel/core/spawn.cc)
set(monitor_freestanding OFF)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|aarch64|arm64)$")
  set(monitor_freestanding ON)
  list(APPEND monitor_sources monitor_libc.cc)
endif()
fermata_program(fermata-monitor STATIC SOURCES monitor_main.cc ${monitor_sources})
target_include_directories(fermata-monitor PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(fermata-monitor PRIVATE
  -fno-sanitize=all -fno-stack-protector -fno-pie -fno-threadsafe-statics -ffunction-sections -fdata-sections
  -U_FORTIFY_SOURCE)
target_link_options(fermata-monitor PRIVATE -fno-sanitize=all -no-pie)
if(monitor_freestanding)
  # freestanding string functions must not be compiled into calls of themselves.
  set_source_files_properties(monitor_libc.cc PROPERTIES COMPILE_OPTIONS
    "-fno-builtin;$<$<CXX_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>")
  target_link_options(fermata-monitor PRIVATE -nostdlib -nostartfiles -Wl,-z,noseparate-code)
endif()
