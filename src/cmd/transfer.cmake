# Registries and archives: loaded by image/ on first use, so that other commands link neither curl nor libarchive.
if(EXISTS ${PROJECT_SOURCE_DIR}/src/image/transfer/transfer_impl.cc)
  add_library(fermata_transfer MODULE transfer_module.cc)
  set_target_properties(fermata_transfer PROPERTIES PREFIX "" OUTPUT_NAME fermata-transfer
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  target_link_libraries(fermata_transfer PRIVATE fermata_image_transfer)
  add_dependencies(programs fermata_transfer)
endif()
