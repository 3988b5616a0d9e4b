# Language, warnings and sanitizers, the same for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # every layer may end up in the transfer module
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

option(FERMATA_TESTS "build the tests" ON)
option(FERMATA_BENCH "build the benchmarks" OFF)
option(FERMATA_FUZZ "build the fuzz targets (clang)" OFF)
set(FERMATA_SANITIZE "" CACHE STRING "sanitizers: address,undefined or thread")

find_program(FERMATA_CCACHE ccache)
if(FERMATA_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${FERMATA_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${FERMATA_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wcast-align -Woverloaded-virtual
                    -Wno-missing-field-initializers -fno-plt)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these falsely from inlined standard library code (std::string, std::optional).
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds
                      -Wno-dangling-pointer)
endif()
add_compile_definitions(_GNU_SOURCE)

if(FERMATA_SANITIZE)
  add_compile_options(-fsanitize=${FERMATA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FERMATA_SANITIZE})
  if(FERMATA_SANITIZE STREQUAL "thread")
    # It does not understand fences; Asio can do without the few that it has.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      add_compile_options(-Wno-tsan)
    endif()
  endif()
endif()
if(FERMATA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
