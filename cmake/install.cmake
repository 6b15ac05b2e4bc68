# The two libraries that users link, the program, the headers, and the package that find_package(xinfer) finds.
#
#   xinfer::runtime  loads and runs engines; needs neither protobuf nor the passes
#   xinfer::xinfer   the same and the builder
include(CMakePackageConfigHelpers)

set(runtime_rooms xi_core xi_data xi_ir xi_reference xi_kernels xi_cpu xi_engine xi_runtime)
set(builder_rooms xi_onnx xi_passes xi_quantize xi_builders)
list(JOIN runtime_rooms "," runtime_archives)
list(JOIN builder_rooms "," builder_archives)

# Everything comes from the rooms' archives; CMake wants a source all the same.
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/empty_library.cpp CONTENT "")
add_library(xinfer_runtime SHARED ${CMAKE_BINARY_DIR}/empty_library.cpp)
target_link_libraries(xinfer_runtime PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,${runtime_archives}>")
add_library(xinfer SHARED ${CMAKE_BINARY_DIR}/empty_library.cpp)
# The runtime library stands before the rooms that the builder's rooms depend on, so that the linker takes their symbols
# from it and they are not linked in twice.
target_link_libraries(xinfer PUBLIC xinfer_runtime PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,${builder_archives}>")

set_target_properties(xinfer_runtime PROPERTIES EXPORT_NAME runtime)
foreach(library xinfer_runtime xinfer)
  set_target_properties(${library} PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
                                              SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(${library} INTERFACE cxx_std_20)
  target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

install(TARGETS xinfer_runtime xinfer EXPORT xinferTargets)
install(TARGETS xinfer_cli)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT xinferTargets NAMESPACE xinfer:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xinfer)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/xinferConfig.cmake
     "include(\"\${CMAKE_CURRENT_LIST_DIR}/xinferTargets.cmake\")\n")
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/xinferConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/xinferConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/xinferConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xinfer)
