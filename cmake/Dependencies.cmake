# SPDX-License-Identifier: Apache-2.0
# Everything migprof takes from elsewhere, and what it does without.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)

# zstd is linked statically: the injected library may bring no shared library into a foreign process.
find_library(MIGPROF_ZSTD_ARCHIVE libzstd.a REQUIRED)
find_path(MIGPROF_ZSTD_INCLUDE zstd.h REQUIRED)
add_library(migprof_zstd INTERFACE)
target_link_libraries(migprof_zstd INTERFACE ${MIGPROF_ZSTD_ARCHIVE})
target_include_directories(migprof_zstd SYSTEM INTERFACE ${MIGPROF_ZSTD_INCLUDE})

find_path(MIGPROF_XXHASH_INCLUDE xxhash.h REQUIRED)

# elfutils' libdw, for source lines and inlined functions in migprof-merge. Nothing else needs it.
find_path(MIGPROF_LIBDW_INCLUDE elfutils/libdw.h)
find_library(MIGPROF_LIBDW dw)
find_library(MIGPROF_LIBELF elf)
if(MIGPROF_LIBDW_INCLUDE AND MIGPROF_LIBDW AND MIGPROF_LIBELF)
  set(MIGPROF_HAVE_LIBDW TRUE)
  add_library(migprof_libdw INTERFACE)
  target_include_directories(migprof_libdw SYSTEM INTERFACE ${MIGPROF_LIBDW_INCLUDE})
  target_link_libraries(migprof_libdw INTERFACE ${MIGPROF_LIBDW} ${MIGPROF_LIBELF})
else()
  set(MIGPROF_HAVE_LIBDW FALSE)
  message(WARNING "elfutils' libdw was not found (Debian: libdw-dev): migprof-merge is built without source lines and "
                  "inlined functions.")
endif()

# libmicrohttpd, for `migprof top --openmetrics`: its header only. The library is loaded when metrics are to be served,
# so that migprof runs where it is not installed. Its first argument types are those of 0.9.71 and later.
find_path(MIGPROF_MICROHTTPD_INCLUDE microhttpd.h)
set(MIGPROF_MICROHTTPD_SONAME "libmicrohttpd.so.12" CACHE STRING "What `migprof top --openmetrics` loads")
if(MIGPROF_MICROHTTPD_INCLUDE)
  set(MIGPROF_HAVE_MICROHTTPD TRUE)
else()
  set(MIGPROF_HAVE_MICROHTTPD FALSE)
  message(WARNING "microhttpd.h was not found (Debian: libmicrohttpd-dev): migprof top is built without --openmetrics.")
endif()

# CUDA and CUPTI: headers only. Nothing of them is linked; the running process brings its own.
set(MIGPROF_CUDA_ROOT "" CACHE PATH "CUDA toolkit; empty: search")
set(_cuda_hints ${MIGPROF_CUDA_ROOT} $ENV{CUDA_HOME} $ENV{CUDA_PATH} /usr/local/cuda /opt/cuda)
file(GLOB _versioned_cuda /usr/local/cuda-*)
list(SORT _versioned_cuda COMPARE NATURAL ORDER DESCENDING)
list(APPEND _cuda_hints ${_versioned_cuda})
# The headers are the same for all architectures, so a cross-compiler takes those of this machine.
find_path(MIGPROF_CUDA_INCLUDE cuda.h HINTS ${_cuda_hints} PATH_SUFFIXES include targets/x86_64-linux/include targets/sbsa-linux/include
          NO_CMAKE_FIND_ROOT_PATH)
find_path(MIGPROF_CUPTI_INCLUDE cupti.h HINTS ${_cuda_hints} ${MIGPROF_CUDA_INCLUDE}
          PATH_SUFFIXES include extras/CUPTI/include targets/x86_64-linux/include targets/sbsa-linux/include
          NO_CMAKE_FIND_ROOT_PATH)
if(MIGPROF_CUDA_INCLUDE AND MIGPROF_CUPTI_INCLUDE)
  set(MIGPROF_HAVE_CUDA_HEADERS TRUE)
  add_library(migprof_cuda_headers INTERFACE)
  target_include_directories(migprof_cuda_headers SYSTEM INTERFACE ${MIGPROF_CUDA_INCLUDE} ${MIGPROF_CUPTI_INCLUDE})
  if(NOT CMAKE_CROSSCOMPILING)
    find_program(MIGPROF_NVCC nvcc HINTS ${MIGPROF_CUDA_INCLUDE}/../bin ${_cuda_hints} PATH_SUFFIXES bin)
  endif()
else()
  set(MIGPROF_HAVE_CUDA_HEADERS FALSE)
  message(WARNING "cuda.h and cupti.h were not found: install the CUDA toolkit (11.8 or later, with CUPTI) and point "
                  "MIGPROF_CUDA_ROOT at it to build libmigprof.so and the simulated GPU; building everything else.")
endif()

if(MIGPROF_HAVE_CUDA_HEADERS)
  if(NOT EXISTS ${MIGPROF_LIBUNWIND_ROOT}/lib/libunwind.a)
    message(FATAL_ERROR "no libunwind in ${MIGPROF_LIBUNWIND_ROOT}: run scripts/build_libunwind.sh")
  endif()
  add_library(migprof_libunwind INTERFACE)
  target_include_directories(migprof_libunwind SYSTEM INTERFACE ${MIGPROF_LIBUNWIND_ROOT}/include)
  target_link_libraries(migprof_libunwind INTERFACE ${MIGPROF_LIBUNWIND_ROOT}/lib/libunwind.a)
endif()
