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
