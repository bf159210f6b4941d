#!/usr/bin/env bash
# Makes a fresh machine able to build migprof: distribution packages, then the position-independent libunwind.
# Debian 12; Ubuntu by the same commands (untested). Does nothing that is done already.
#
# usage: scripts/setup.sh [--tests | --aarch64]      --tests adds what only the test suite needs (a browser, clang's tools),
#                                                    --aarch64 what scripts/check_aarch64.sh does (a cross compiler, an emulator)
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(build-essential cmake ninja-build dpkg-dev git ca-certificates curl python3
  libabsl-dev libcli11-dev libxxhash-dev libzstd-dev libdw-dev libmicrohttpd-dev nlohmann-json3-dev libgtest-dev libgmock-dev libbenchmark-dev)
if [[ ${1:-} == --tests ]]; then
  packages+=(clang clang-format libclang-rt-dev chromium chromium-driver python3-selenium python3-jsonschema python3-greenlet prometheus libjemalloc2 libtcmalloc-minimal4 heaptrack)
fi
if [[ ${1:-} == --aarch64 ]]; then
  packages+=(g++-aarch64-linux-gnu qemu-user-static)
fi

missing=()
for package in "${packages[@]}"; do
  if [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) != "install ok installed" ]]; then missing+=("$package"); fi
done
if ((${#missing[@]})); then
  if ! command -v apt-get >/dev/null; then
    echo "setup: this machine has no apt-get; install by hand what corresponds to: ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  as_root=()
  if [[ $(id -u) -ne 0 ]]; then as_root=(sudo); fi
  mkdir -p build
  log=build/setup-packages.log
  if ! { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: installing packages failed; the whole log is $log" >&2
    exit 1
  fi
fi

# Without the CUDA headers the recorder is not built, and nothing needs the unwinder.
if scripts/find_cuda.sh >/dev/null 2>&1; then
  scripts/build_libunwind.sh
fi
