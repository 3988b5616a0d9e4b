# systemd's scopes: loaded by scope/ on first use, so that other commands do not link libsystemd.
add_library(fermata_systemd MODULE systemd_module.cc)
set_target_properties(fermata_systemd PROPERTIES PREFIX "" OUTPUT_NAME fermata-systemd
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
target_link_libraries(fermata_systemd PRIVATE fermata_scope_bus)
add_dependencies(programs fermata_systemd)
