#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Three training jobs on the three 2g.35gb slices of one simulated H200, busy for 85 %, 48 % and 93.6 % of their time. On average
# all looks well. Which one wastes its slice, and why? The report says.
#
# usage: three_tenants.sh [DIR]      DIR: where traces and report go, default migprof-three-tenants. Needs a build (./demo).
set -euo pipefail
cd "$(dirname "$0")/.."
result=$(realpath -m "${1:-migprof-three-tenants}")
build=${BUILD:-$PWD/build/release}

rm -rf "$result/traces"
mkdir -p "$result"
export SIMGPU_TOPOLOGY=$build/lib/simgpu/topologies/h200-three-2g.json
mapfile -t slices < <(grep -o 'MIG-[0-9a-f-]\{36\}' "$SIMGPU_TOPOLOGY")

# --load-us: how long the host needs to prepare a batch while the slice waits for it.
tenant() {
  CUDA_VISIBLE_DEVICES=$1 LD_LIBRARY_PATH=$build/lib/simgpu LD_PRELOAD=$build/lib/libmigprof.so MIGPROF_OUTPUT=$result/traces \
    "$build/bin/training_loop" --steps 40 "${@:2}" >/dev/null
}
tenant "${slices[0]}" --load-us 270
tenant "${slices[1]}" --load-us 3479
tenant "${slices[2]}" --layers 32 --load-us 29

"$build/bin/migprof-merge" -o "$result" --format svg,html,folded,json --view gpu,idle "$result/traces"
