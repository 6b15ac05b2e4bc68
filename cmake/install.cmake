# The two libraries that users link, the program, the headers, and the package that find_package(xinfer) finds.
#
#   xinfer::runtime  loads and runs engines; needs neither protobuf nor the passes
#   xinfer::xinfer   the same and the builder
include(CMakePackageConfigHelpers)

set(runtime_rooms core data ir reference kernels cpu gpu cuda engine runtime)
set(builder_rooms onnx passes quantize report builders)
list(TRANSFORM runtime_rooms REPLACE "(.+)" "$<TARGET_OBJECTS:xi_\\1>" OUTPUT_VARIABLE runtime_objects)
list(TRANSFORM builder_rooms REPLACE "(.+)" "$<TARGET_OBJECTS:xi_\\1>" OUTPUT_VARIABLE builder_objects)

add_library(xinfer_runtime SHARED ${runtime_objects})
target_link_libraries(xinfer_runtime PRIVATE xi_settings fmt::fmt DNNL::dnnl OpenMP::OpenMP_CXX Threads::Threads ${CMAKE_DL_LIBS}
                                             PkgConfig::JPEG PkgConfig::PNG PkgConfig::WEBP PkgConfig::XXHASH)
add_library(xinfer SHARED ${builder_objects})
target_link_libraries(xinfer PUBLIC xinfer_runtime PRIVATE xi_settings fmt::fmt ${ONNX_PROTO_LIBRARY}
                                                           protobuf::libprotobuf)

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
