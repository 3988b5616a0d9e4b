# Compiled from the layer's sources, with its own flags: without libc where init_main.cc has an entry of its own,
# and never with a sanitizer, whose runtime needs libc.
set(init_layer ${PROJECT_SOURCE_DIR}/src/init)
file(GLOB init_sources CONFIGURE_DEPENDS ${init_layer}/*.cc)
list(FILTER init_sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
fermata_program(fermata-init STATIC
  SOURCES init_main.cc ${init_sources} ${PROJECT_SOURCE_DIR}/src/kernel/core/packet.cc
          ${PROJECT_SOURCE_DIR}/src/kernel/core/rooted.cc)
target_include_directories(fermata-init PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(fermata-init PRIVATE
  -fno-sanitize=all -fno-stack-protector -fno-pie -fno-threadsafe-statics -ffunction-sections)
target_link_options(fermata-init PRIVATE -fno-sanitize=all -no-pie)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|aarch64|arm64)$")
  target_compile_definitions(fermata-init PRIVATE FERMATA_FREESTANDING)
  target_link_options(fermata-init PRIVATE -nostdlib -nostartfiles)
endif()
