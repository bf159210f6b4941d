# SPDX-License-Identifier: Apache-2.0
# Links libmigprof.so so that it runs with a glibc older than that of the machine that builds it (docs/decisions/0007).
set(MIGPROF_GLIBC "2.28" CACHE STRING "Oldest glibc that libmigprof.so runs with; empty: the one it is built with, and later")

set(MIGPROF_GLIBC_STUBS "")
if(MIGPROF_GLIBC AND NOT MIGPROF_SANITIZE)
  separate_arguments(_flags UNIX_COMMAND "${CMAKE_C_FLAGS}")
  execute_process(COMMAND ${CMAKE_C_COMPILER} ${_flags} -print-file-name=libc.so.6 OUTPUT_VARIABLE _libc OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(IS_ABSOLUTE "${_libc}" AND CMAKE_READELF)
    set(MIGPROF_GLIBC_STUBS ${PROJECT_BINARY_DIR}/glibc-${MIGPROF_GLIBC})
    set(_script ${PROJECT_SOURCE_DIR}/scripts/make_glibc_stubs.py)
    add_custom_command(OUTPUT ${MIGPROF_GLIBC_STUBS}/libc.so
      COMMAND ${Python3_EXECUTABLE} ${_script} ${MIGPROF_GLIBC} ${CMAKE_READELF} ${MIGPROF_GLIBC_STUBS} ${CMAKE_C_COMPILER} ${_flags}
      DEPENDS ${_script} ${_libc} COMMENT "Making stubs of glibc ${MIGPROF_GLIBC}" VERBATIM)
    add_custom_target(migprof_glibc_stubs DEPENDS ${MIGPROF_GLIBC_STUBS}/libc.so)
  else()
    message(WARNING "no libc.so.6 or no readelf: libmigprof.so will need the C library that it is built with, or a later one.")
  endif()
endif()

# Makes -lc and its like find the stubs, which lie in a folder that is searched first.
function(migprof_link_old_glibc target)
  if(MIGPROF_GLIBC_STUBS)
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/injection/newer_libc.cc)
    target_link_options(${target} PRIVATE -L${MIGPROF_GLIBC_STUBS})
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${MIGPROF_GLIBC_STUBS}/libc.so)
    add_dependencies(${target} migprof_glibc_stubs)
  endif()
endfunction()
