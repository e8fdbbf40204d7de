#!/usr/bin/env bash
# The engine's tests on emulated 64-bit ARM: the NEON kernels against scalar code, and searches that use them.
#   tools/ci/neon.sh           all tests of the engine, the slowest with fewer random cases
#   tools/ci/neon.sh --full    all of them as they are on any machine; takes much longer
#   tools/ci/neon.sh FILTER…   only tests whose name has one of these in it
# Needs a compiler and standard library for aarch64-unknown-linux-gnu, a linker, and qemu-user-static. What is missing of
# Debian's packages is installed where that can be done. Ends with 77, and a line that says why, where it cannot run.
set -uo pipefail
cd "$(dirname "$0")/../.."

target=aarch64-unknown-linux-gnu
# Debian's compiler and its standard library for ARM, of one build; the compiler that rust-toolchain.toml names has none for ARM.
packages=(rustc-web cargo-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)

cannot() {
  echo "$1"
  exit 77
}
has_all() {
  local std=/usr/lib/rustlib/$target/lib
  [ -x /usr/bin/cargo ] && ls "$std"/libstd-*.rlib >/dev/null 2>&1 || return 1
  command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64-static >/dev/null
}
install_all() {
  command -v apt-get >/dev/null || cannot "no apt-get to install ${packages[*]} with"
  [ "$(id -u)" = 0 ] || cannot "not root, and these are not all installed: ${packages[*]}"
  # Asked before ARM's packages are: not every system has a place to get those from.
  apt-get update -qq >/dev/null 2>&1
  apt-cache show rustc-web >/dev/null 2>&1 || cannot "this system has no package rustc-web"
  dpkg --add-architecture arm64 && apt-get update -qq >/dev/null 2>&1
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends --no-remove "${packages[@]}" >/dev/null 2>&1
}

[ "$(uname -m)" != aarch64 ] || cannot "this machine is ARM: every test of the engine ran with NEON"
has_all || { install_all && has_all; } || cannot "these cannot be installed here: ${packages[*]}"
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
found=$(/usr/bin/rustc --version | cut -d' ' -f2)
[ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -1)" = "$wanted" ] || cannot "rustc-web is $found, older than $wanted"

cases=24
filters=()
for argument in "$@"; do
  case $argument in
    --full) cases= ;;
    *) filters+=("$argument") ;;
  esac
done

export RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=target/neon CARGO_INCREMENTAL=0
# Tests are emulated: some optimisation is worth its time, and line numbers are not.
export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# No -L for qemu: the packages bring the C library of ARM to its place in the system. A second one, as the cross compiler has,
# makes threads spin for ever; so there is a limit in any case.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="timeout 3600 qemu-aarch64-static"
[ -z "$cases" ] || export PROPTEST_CASES=${PROPTEST_CASES:-$cases}

# Without tests of documentation: the engine has none, and rustdoc would look for a standard library of its own.
/usr/bin/cargo test -p quidditch-engine --lib --tests --target "$target" --quiet -- "${filters[@]}"
