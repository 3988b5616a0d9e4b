# The daemon of the Container Runtime Interface. It links in what the command line does, for the same reasons, and gRPC, whose
# shared libraries would take half of its memory.
fermata_command(fermatad SOURCES fermatad_main.cc LIBS fermata_cri fermata_cli_core
  LINK_IN sqlite3:sqlite3_open_v2 seccomp:seccomp_init)
