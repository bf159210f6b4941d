#!/usr/bin/env bash
# Prints the folder of the CUDA headers (cuda.h and cupti.h); fails with a sentence when there is none. The places are those of
# cmake/Dependencies.cmake.
set -euo pipefail
for root in ${MIGPROF_CUDA_ROOT:-} ${CUDA_HOME:-} ${CUDA_PATH:-} /usr/local/cuda /opt/cuda $(ls -d /usr/local/cuda-* 2>/dev/null | sort -rV) /usr; do
  for headers in "$root/include" "$root/targets/x86_64-linux/include" "$root/targets/sbsa-linux/include"; do
    [[ -f $headers/cuda.h ]] || continue
    if [[ -f $headers/cupti.h || -f $root/extras/CUPTI/include/cupti.h ]]; then
      echo "$headers"
      exit 0
    fi
  done
done
echo "cuda.h and cupti.h were not found: install the CUDA toolkit with CUPTI, 11.8 or later (13.x for the simulated GPU, where there is no real one), from NVIDIA, and set MIGPROF_CUDA_ROOT if it is in an unusual place" >&2
exit 1
