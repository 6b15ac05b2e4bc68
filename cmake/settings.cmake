# Language level, warnings, output folders, ccache and sanitizers: the settings that every target shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

find_program(XINFER_CCACHE ccache)
if(XINFER_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${XINFER_CCACHE})
endif()

include(GNUInstallDirs)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};$ORIGIN")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

add_library(xi_settings INTERFACE)
# The integer contract fixes every rounding, so the compiler may not fuse or reassociate on its own.
target_compile_options(xi_settings INTERFACE -Wall -Wextra -Werror -ffp-contract=off)
target_include_directories(xi_settings INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
if(XINFER_SANITIZE)
  target_compile_options(xi_settings INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
                                               -fno-omit-frame-pointer -g1)
  target_link_options(xi_settings INTERFACE -fsanitize=address,undefined)
endif()

# xinfer_room(<name> [PUBLIC_DEPS ...] [PRIVATE_DEPS ...]): a static library of every source in src/<name>.
function(xinfer_room name)
  cmake_parse_arguments(ROOM "" "" "PUBLIC_DEPS;PRIVATE_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  add_library(xi_${name} STATIC ${sources})
  target_link_libraries(xi_${name} PUBLIC xi_settings ${ROOM_PUBLIC_DEPS} PRIVATE ${ROOM_PRIVATE_DEPS})
endfunction()
