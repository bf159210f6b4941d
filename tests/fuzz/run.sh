#!/usr/bin/env bash
# Runs one libFuzzer target on its seeds and on new inputs, and prints one line of figures, which stays in build/fuzz/figures.
#
# usage: tests/fuzz/run.sh TARGET SEEDS...
#
# MIGPROF_FUZZ_SECONDS   how long; 60 unless set
# MIGPROF_FUZZ_SEED      where its random numbers begin; 1 unless set, so that a check that failed can be repeated; 0: anywhere
# MIGPROF_FUZZ_KEEP      a folder in which what was found stays, and is built upon the next time; empty: nothing stays
#
# An input that ends the target is left in build/fuzz/findings. Once understood, it becomes a seed in corpus/.
set -uo pipefail
target=$1
shift
name=$(basename "$target")
seconds=${MIGPROF_FUZZ_SECONDS:-60}
build=$(dirname "$(dirname "$target")")
findings=$build/findings
mkdir -p "$findings" "$build/figures"

# The targets write a small file per input: into memory, if there is some.
scratch=$(mktemp -d "$([[ -w /dev/shm ]] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/migprof-$name-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch/files
mkdir "$TMPDIR"

corpus=$scratch/corpus
if [[ -n ${MIGPROF_FUZZ_KEEP:-} ]]; then corpus=$MIGPROF_FUZZ_KEEP/$name; fi
mkdir -p "$corpus"

seeds=()
for folder in "$@"; do
  if [[ -z $(ls -A "$folder" 2>/dev/null) ]]; then
    echo "$name: no seeds in $folder" >&2
    exit 1
  fi
  seeds+=("$folder")
done

if ! "$target" -seed="${MIGPROF_FUZZ_SEED:-1}" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$findings/$name-" "$corpus" "${seeds[@]}" >"$scratch/log" 2>&1; then
  cat "$scratch/log"
  echo "$name: the input is in $findings"
  exit 1
fi
edges=$(grep -oE 'cov: [0-9]+' "$scratch/log" | tail -n 1)
echo "$name: $(awk '/number_of_executed_units/ {print $2}' "$scratch/log") inputs in $seconds s, ${edges#cov: } edges" | tee "$build/figures/$name"
