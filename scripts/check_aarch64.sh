#!/usr/bin/env bash
# Builds everything that runs in other people's processes, and what reads their traces, for 64-bit Arm, and runs the unit tests and some of
# the integration tests in qemu's emulation of user programs. On Debian 12, x86-64. What it cannot show: that real processors, which
# reorder more than an emulator on x86-64 does, agree.
#
# usage: scripts/check_aarch64.sh [--unit] [TEST…]      --unit: unit tests only; TEST: integration tests, by default those that fit
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$PWD
unit_only=
if [[ ${1:-} == --unit ]]; then unit_only=1; shift; fi
tests=("$@")
((${#tests[@]})) || tests=(conservation graphs harmless python ranges control)
unit_tests=(base_test newer_libc_test format_test mig_test record_test analyze_test lines_test render_test tools_test)
[[ $(uname -m) == x86_64 ]] || { echo "aarch64: the cross build is made on x86-64 only" >&2; exit 1; }
scripts/find_cuda.sh >/dev/null

step() { printf '\n=== %s\n' "$*"; }
start=$SECONDS

step "packages"
mkdir -p build
scripts/setup.sh --aarch64
root=build/deps/aarch64-root
scripts/make_debian_root.sh $root bookworm arm64 libabsl-dev libcli11-dev libxxhash-dev libzstd-dev libdw-dev libmicrohttpd-dev \
  nlohmann-json3-dev libgtest-dev libgmock-dev libbenchmark-dev libstdc++6 python3
scripts/build_libunwind.sh build/deps/libunwind-aarch64 aarch64-linux-gnu

step "build"
cmake --preset aarch64 >build/configure-aarch64.log || { cat build/configure-aarch64.log; exit 1; }
targets=(migprof_injection "${unit_tests[@]}")
if [[ -z $unit_only ]]; then
  targets+=(demo_programs $(ninja -C build/aarch64 -t targets all | sed -n 's,^\(tests/programs\)/all:.*,\1/all,p'))
fi
cmake --build --preset aarch64 --target "${targets[@]}" -- --quiet
CROSS_COMPILE=aarch64-linux-gnu- scripts/check_so.py build/aarch64/lib/libmigprof.so

failed=()
# Pointer authentication by a cheap cipher: what is signed is no less signed.
export QEMU_CPU=max,pauth-impdef=on MIGPROF_BUILD=$tree/build/aarch64
run() {  # NAME COMMAND…
  local log=build/aarch64/$1.log
  if scripts/run_in_root.sh $root "${@:2}" >"$log" 2>&1; then
    printf '%-16s %s\n' "$1" "$(grep -E '^(\[  PASSED  \]|\[  SKIPPED \].*tests|Ran|OK)' "$log" | tr '\n' ' ')"
  else
    failed+=("$1")
    printf '%-16s FAILED: %s\n' "$1" "$log"
    grep -E '^(\[  FAILED|FAIL|ERROR|AssertionError|Ran)' "$log" | head -n 20 || tail -n 5 "$log"
  fi
}

step "unit tests, in qemu $(qemu-aarch64-static --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')"
for test in "${unit_tests[@]}"; do run "$test" "$tree/build/aarch64/bin/$test"; done
if [[ -z $unit_only ]]; then
  step "integration tests, in qemu, on the simulated GPU"
  for test in "${tests[@]}"; do run "$test" python3 "$tree/tests/integration/${test}_test.py"; done
fi

if ((${#failed[@]})); then
  printf '\naarch64: failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
step "aarch64: all passed in $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s"
