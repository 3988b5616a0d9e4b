# systemd's scopes: executed by scope/ when it needs them, so that no other program links libsystemd.
fermata_program(fermata-systemd SOURCES systemd_main.cc LIBS fermata_scope_bus)
