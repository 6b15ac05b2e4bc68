# The CUDA backend. The driver and NVRTC are loaded at run time through declarations of our own (src/gpu/driver_api.h,
# nvrtc_api.h), so building needs nothing of CUDA. Where its headers are at hand, a test compares them with those.
set(XINFER_CUDA_WHEELS ${PROJECT_SOURCE_DIR}/.deps/cuda/nvidia)
find_path(XINFER_CUDA_INCLUDE_DIR cuda.h
          HINTS $ENV{CUDA_HOME}/include $ENV{CUDA_PATH}/include /usr/local/cuda/include ${XINFER_CUDA_WHEELS}/cu13/include)
mark_as_advanced(XINFER_CUDA_INCLUDE_DIR)

# xinfer_find_nvrtc(<target>): lets the target look for NVRTC where scripts/setup put it.
function(xinfer_find_nvrtc target)
  file(GLOB libraries ${XINFER_CUDA_WHEELS}/*/lib/libnvrtc.so.[0-9]*)
  if(libraries)
    list(GET libraries -1 library)
    get_filename_component(folder ${library} DIRECTORY)
    target_compile_definitions(${target} PRIVATE XINFER_NVRTC_HINT="${folder}")
  endif()
endfunction()

# xinfer_embed_kernels(<target> <folder>): adds the texts of the folder's kernels to the target.
function(xinfer_embed_kernels target folder)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/generated/${target}_kernels.cpp)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  file(GLOB kernels CONFIGURE_DEPENDS ${folder}/*.cu ${folder}/*.cuh)
  add_custom_command(OUTPUT ${output} COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DOUTPUT=${output} -P ${script}
                     DEPENDS ${kernels} ${script})
  target_sources(${target} PRIVATE ${output})
endfunction()
