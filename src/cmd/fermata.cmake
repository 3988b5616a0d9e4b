# Starts often and does little each time: what would have to be found and relocated at every start is linked in.
fermata_program(fermata SOURCES fermata_main.cc LIBS fermata_cli)
target_compile_definitions(fermata PRIVATE FERMATA_VERSION="${PROJECT_VERSION}")
target_link_options(fermata PRIVATE -Wl,--gc-sections -Wl,--as-needed)
