#!/usr/bin/env bash
# Runs the integration tests in other systems than this machine's, with the libmigprof.so of the release build as it is: by default in
# Debian 11 (glibc 2.31, Python 3.9) and Debian 12. The roots are made below build/; as root or with user namespaces.
#
# The programs of the tests and the simulated GPU are linked for the older system, from the objects of the release build. The tools
# (migprof-merge, …) run with this machine's C library there: what is tried is what lives in other people's processes.
#
# usage: scripts/check_systems.sh [SUITE…] [-- TEST…]       e.g. bullseye -- conservation python
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$PWD
suites=() tests=()
while (($#)) && [[ $1 != -- ]]; do suites+=("$1"); shift; done
if (($#)); then shift; tests=("$@"); fi
((${#suites[@]})) || suites=(bullseye bookworm)
((${#tests[@]})) || tests=(harmless hazards hot_path conservation graphs control faults kill python)
scripts/find_cuda.sh >/dev/null
[[ $(uname -m) == x86_64 ]] || { echo "systems: on x86-64 only" >&2; exit 1; }

# The oldest of them is what programs are linked to.
old=build/roots/bullseye
for suite in bullseye "${suites[@]}"; do
  scripts/make_debian_root.sh "build/roots/$suite" "$suite" amd64 python3 libc6-dev binutils
done
cmake --preset release -DMIGPROF_OLD_ROOT="$tree/$old" >build/configure-systems.log || { cat build/configure-systems.log; exit 1; }
cmake --build --preset release --target old_programs migprof_injection migprof migprof-merge migprof-dump simgpu_topology_files \
  no_libraries -- --quiet
built=build/release/old
mkdir -p "$built/bin" "$built/lib/simgpu"
cp --remove-destination build/release/lib/libmigprof.so "$built/lib/"
cp --remove-destination build/release/bin/no_libraries "$built/bin/"
cp -r build/release/lib/simgpu/topologies "$built/lib/simgpu/"
scripts/check_so.py "$built/lib/libmigprof.so"
loader=$(realpath /lib64/ld-linux-x86-64.so.2)
for tool in migprof migprof-merge migprof-dump; do
  # Started so, `migprof run` does not know what it lies beside.
  printf '#!/bin/sh\n[ "$1" = run ] && shift && set -- run --library %s "$@"\nexec /host%s --library-path %s %s "$@"\n' \
    "$tree/$built/lib/libmigprof.so" "$loader" /host/lib/x86_64-linux-gnu:/host/usr/lib/x86_64-linux-gnu \
    "$tree/build/release/bin/$tool" >"$built/bin/$tool"
  chmod +x "$built/bin/$tool"
done

export MIGPROF_BUILD=$tree/$built
failed=()
for suite in "${suites[@]}"; do
  root=build/roots/$suite
  system=$(scripts/run_in_root.sh "$root" python3 -c 'import os, platform; print(os.confstr("CS_GNU_LIBC_VERSION") + ", Python " + platform.python_version())')
  printf '\n=== %s: %s\n' "$suite" "$system"
  for test in "${tests[@]}"; do
    log=build/roots/$suite-$test.log
    if scripts/run_in_root.sh "$root" python3 "$tree/tests/integration/${test}_test.py" >"$log" 2>&1; then
      printf '%-14s %s\n' "$test" "$(grep -E '^(Ran|OK)' "$log" | tr '\n' ' ')"
    else
      failed+=("$suite/$test")
      printf '%-14s FAILED: %s\n' "$test" "$log"
      grep -E '^(FAIL|ERROR|AssertionError|Ran|FAILED)' "$log" | head -n 12 || tail -n 5 "$log"
    fi
  done
done
if ((${#failed[@]})); then
  printf '\nsystems: failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
printf '\nsystems: all passed\n'
