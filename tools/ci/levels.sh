#!/usr/bin/env bash
# The engine's tests once for each instruction set that this machine has and that a plain run does not use: that takes the
# fastest. One build for all of them.
set -euo pipefail
cd "$(dirname "$0")/../.."

# The engine itself says what it can run here, fastest first.
levels=$(cargo test --quiet -p quidditch-engine --lib simd::tests::scalar_is_always_there_and_last -- --exact --nocapture |
  sed -n 's/^.*levels: //p')
[ -n "$levels" ] || { echo "the engine did not say which instruction sets it can run"; exit 1; }
echo "this machine runs: $levels"
for level in $(echo "$levels" | cut -s -d' ' -f2-); do
  echo "QUIDDITCH_SIMD=$level"
  QUIDDITCH_SIMD=$level cargo test --quiet -p quidditch-engine
done
