# cri_protocol: the messages and the gRPC stubs of the Kubernetes Container Runtime Interface, with gRPC and protobuf to link.
#   #include <cri_protocol/api.pb.h>        the messages, namespace ::runtime::v1
#   #include <cri_protocol/api.grpc.pb.h>   the services and their clients; takes five seconds to compile, so few files should
find_package(Protobuf REQUIRED)
find_program(FERMATA_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)
# Without TLS: the interface is served on a socket of this machine, and an idle server takes 12.6 MB instead of 16.
pkg_check_modules(grpc REQUIRED grpc++_unsecure protobuf)

set(FERMATA_CRI_PROTOCOL ${PROJECT_SOURCE_DIR}/build/protocol/api.proto CACHE FILEPATH "api.proto of the CRI's runtime.v1")
if(NOT EXISTS ${FERMATA_CRI_PROTOCOL})
  message(FATAL_ERROR "the CRI protocol ${FERMATA_CRI_PROTOCOL} is missing: 'scripts/setup build' brings it, "
                      "or name another api.proto with -DFERMATA_CRI_PROTOCOL=FILE")
endif()

# Changed, neither of it on the wire: protobuf before 22 refuses the option debug_redact, which marks what must not be printed; and
# the enumerators SIGTERM and so on, which are macros wherever <csignal> is included, are SIG_TERM here.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${FERMATA_CRI_PROTOCOL})
set(cri_generated ${PROJECT_BINARY_DIR}/generated)
set(cri_proto ${cri_generated}/cri_protocol/api.proto)
file(READ ${FERMATA_CRI_PROTOCOL} cri_text)
string(REGEX REPLACE " *\\[debug_redact = true\\]" "" cri_text "${cri_text}")
string(REGEX REPLACE "\n( *)SIG([A-Z0-9]+ *=)" "\n\\1SIG_\\2" cri_text "${cri_text}")
file(CONFIGURE OUTPUT ${cri_proto} CONTENT "${cri_text}" @ONLY)

set(cri_sources ${cri_generated}/cri_protocol/api.pb.cc ${cri_generated}/cri_protocol/api.grpc.pb.cc)
set(cri_headers ${cri_generated}/cri_protocol/api.pb.h ${cri_generated}/cri_protocol/api.grpc.pb.h)
add_custom_command(
  OUTPUT ${cri_sources} ${cri_headers}
  COMMAND protobuf::protoc --proto_path=${cri_generated} --cpp_out=${cri_generated} --grpc_out=${cri_generated}
          --plugin=protoc-gen-grpc=${FERMATA_GRPC_PLUGIN} cri_protocol/api.proto
  DEPENDS ${cri_proto}
  COMMENT "Generating the CRI protocol")

add_library(cri_protocol STATIC ${cri_sources} ${cri_headers})
target_include_directories(cri_protocol SYSTEM PUBLIC ${cri_generated} ${grpc_INCLUDE_DIRS})
# -O1: 28 instead of 42 seconds of a processor for the 50,000 lines, and smaller code.
target_compile_options(cri_protocol PRIVATE -w -O1)

# The archives, where Debian has them: 8 MB of memory instead of 12.6 for an idle server, for which 50 shared libraries would have to
# be found and relocated. Their order among each other is not one, hence a group that is searched again. A sanitizer gets the shared
# ones: it can leave out the modules that were not built with it (ignore_noninstrumented_modules), and no less than a module.
set(cri_archives)
foreach(name IN LISTS grpc_STATIC_LIBRARIES ITEMS upb address_sorting re2 cares z)
  if(NOT name MATCHES "^(pthread|rt|dl|m|atomic)$")
    find_library(FERMATA_STATIC_${name} lib${name}.a)
    list(APPEND cri_archives ${FERMATA_STATIC_${name}})
  endif()
endforeach()
list(REMOVE_DUPLICATES cri_archives)
if(FERMATA_SANITIZE OR "${cri_archives}" MATCHES "NOTFOUND")
  target_link_libraries(cri_protocol PUBLIC ${grpc_LINK_LIBRARIES})
else()
  list(JOIN cri_archives "," cri_group)
  target_link_libraries(cri_protocol PUBLIC "$<LINK_GROUP:RESCAN,${cri_group}>" ${CMAKE_DL_LIBS})
endif()
target_link_libraries(cri_protocol PUBLIC Threads::Threads)
