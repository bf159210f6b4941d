# SPDX-License-Identifier: Apache-2.0
# The presets of the sanitizers and of 64-bit Arm compile several files of a target as one (CMAKE_UNITY_BUILD), which takes
# less than half of the time: most of what a compiler does with a file of ours is reading headers. The release preset
# compiles each on its own, and thereby shows that each includes what it uses.
#
# Alone also then: files that have a name, in an unnamed namespace, that another file of the target has as well. Where one is
# missing here, the compiler says "redefinition".
function(migprof_alone directory)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/${directory}/)
  set_source_files_properties(${ARGN} DIRECTORY ${PROJECT_SOURCE_DIR}/${directory}
                              PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

migprof_alone(libmigprof analyze/anonymize.cc analyze/line_table.cc analyze/stack_tree.cc analyze/trace_scan.cc
              mig/nvml_api.cc mig/nvml_counter_api.cc record/rotated_log.cc record/slice_file_columns.cc
              record/stack_walk.cc record/symbol_scan.cc record/unwind_info.cc)
migprof_alone(libmigprof/render headline.cc idle_cause.cc number_encoding.cc profile_metrics.cc report_slice.cc
              report_tables.cc slice_findings.cc summary_json.cc top_text.cc topology_json.cc topology_text.cc)
migprof_alone(tools top_command.cc)
if(TARGET simgpu_driver)
  migprof_alone(examples/simgpu cudart/graph_api.cc cudart/launch_api.cc cudart/memory_api.cc cupti/driver_link.cc
                driver/graph.cc driver/host_memory_api.cc driver/memory_report.cc driver/proc_address.cc
                driver/stream_api.cc driver/use_meter.cc nvml/profile_api.cc nvml/usage.cc)
endif()
if(MIGPROF_BUILD_TESTS)
  migprof_alone(tests/unit analyze/idle_gaps_test.cc mig/identify_test.cc mig/slice_counters_test.cc record/call_recorder_test.cc
                record/graph_recorder_test.cc record/python_thread_name_test.cc record/range_stack_test.cc
                record/stack_slots_test.cc record/stack_stress_test.cc record/takeover_watch_test.cc)
  migprof_alone(tests/unit/render h200_profile.cc)
  if(TARGET simgpu_driver)
    migprof_alone(tests/programs hazards/devices.cc hazards/endings.cc hazards/kernel.cc hazards/processes.cc
                  hazards/stacks.cc hazards/surroundings.cc hazards/threads.cc)
    migprof_alone(tests/simgpu fault_test.cc gpm_test.cc graph_test.cc launch_test.cc stream_test.cc stress_test.cc)
  endif()
endif()
