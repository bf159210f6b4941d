#!/usr/bin/env bash
# Prints which share of the lines of every room the tests execute, by gcov.
#
# usage: scripts/coverage.sh [--all]      --all adds the integration tests to the unit tests and the seeds of the fuzzers
#
# What runs in a process that ends by a signal or _exit is not counted: gcov writes its counts when a process exits. So
# the figures of libmigprof/record and injection, whose tests kill processes, say less than was executed.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/coverage
mkdir -p build

cmake --preset coverage >build/configure-coverage.log || { cat build/configure-coverage.log; exit 1; }
if [[ ${1:-} == --all ]]; then
  cmake --build --preset coverage --target all -- --quiet
else
  cmake --build --preset coverage -- --quiet
fi
find $build -name '*.gcda' -delete

# A program at once, not a process per test: each of them adds its counts to several hundred files when it exits.
for program in $build/bin/*_test; do
  if [[ $(basename "$program") == simgpu_test ]]; then continue; fi
  # LineOracle looks for lines in a program of the build, which has none here. Of the others some measure stacks, which are
  # larger without optimization: named, and no reason to print nothing.
  "$program" --gtest_brief=1 --gtest_filter=-LineOracle.* >$build/test.log 2>&1 || grep -aE '^\[  FAILED  \]' $build/test.log || exit 1
done
ctest --test-dir $build -R '^fuzz_' -j "$(nproc)" >$build/test.log || { tail -n 40 $build/test.log; exit 1; }
if [[ ${1:-} == --all ]]; then
  # Some of these hold what a process says and does against the same without migprof, and gcov says things of its own.
  ctest --test-dir $build -R '^integration_' -j "$(nproc)" >$build/test.log || grep -E '^\s*[0-9]+ - ' $build/test.log ||
    true
fi
python3 scripts/coverage_table.py $build
