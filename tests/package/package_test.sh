#!/usr/bin/env bash
# Installs the package, builds the examples against it as a user would, and runs them.
# usage: package_test.sh BUILD-FOLDER SOURCE-FOLDER IMAGES C++-COMPILER
set -euo pipefail

build=$1
source=$2
images=$3
compiler=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

cmake --install "$build" --prefix "$prefix" >"$work/install.log"
libraries=$(dirname "$(find "$prefix" -name 'libxinfer_runtime.so')")

echo "-- what is installed"
"$prefix/bin/xinfer" --version
[ -z "$(grep -rlE '#include [<"](engine|ir|cpu|core|onnx|quantize|passes)/' "$prefix/include")" ] ||
  fail "an installed header includes one that is not installed"
needed=$(readelf -d "$libraries/libxinfer_runtime.so" | grep NEEDED)
grep -q dnnl <<<"$needed" || fail "readelf shows no needed libraries"
grep -qE 'protobuf|onnx' <<<"$needed" && fail "the runtime library needs protobuf or ONNX: $needed"
ldd "$libraries/libxinfer_runtime.so" | grep -E 'protobuf|onnx|not found' >/dev/null && fail "the runtime library needs too much"
ldd "$prefix/bin/xinfer" | grep "not found" >/dev/null && fail "the program lacks a library"

echo "-- each symbol is defined once"
defined() { nm -DC --defined-only "$libraries/$1" | grep -F "$2" >/dev/null; }
defined libxinfer_runtime.so 'xinfer::Tensor::clone() const' || fail "the runtime library lacks Tensor"
defined libxinfer.so 'xinfer::Tensor::clone() const' && fail "the builder library defines Tensor again"
defined libxinfer.so 'xinfer::builders::EngineBuilder::build()' || fail "the builder library lacks EngineBuilder"
defined libxinfer_runtime.so 'xinfer::builders::' && fail "the runtime library holds the builder"

echo "-- each header compiles alone"
(cd "$prefix/include" && find xinfer xtorch -name '*.h') >"$work/headers"
# shellcheck disable=SC2016
xargs -P "$(nproc)" -I{} sh -c 'echo "#include <{}>" | "$0" -std=c++20 -Wall -Wextra -Werror -fsyntax-only -I "$1" -x c++ -' \
  "$compiler" "$prefix/include" <"$work/headers" || fail "a header needs something that is not installed"

echo "-- the examples"
cmake -S "$source/examples" -B "$work/examples" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror" >"$work/configure.log"
cmake --build "$work/examples" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; fail "the examples don't build"; }
mkdir "$work/calib"
for image in "$images"/calib/000[0-4]*.png; do cp "$image" "$work/calib"; done
"$work/examples/build_int8_engine" "$source/models/fashion_mobilenet_v2.onnx" "$work/calib" "$work/int8.engine" 32 \
  >"$work/report" 2>"$work/progress" || { cat "$work/progress" >&2; fail "build_int8_engine failed"; }
grep -q 'nodes in INT8' "$work/report" || fail "build_int8_engine printed no report"
mkdir "$work/boots"
cp "$images"/test/9_boot/*1.png "$work/boots"
"$work/examples/classify" "$work/int8.engine" "$work"/boots/*.png >"$work/classes"
[ "$(grep -cE 'class [0-9], score' "$work/classes")" -eq "$(find "$work/boots" -name '*.png' | wc -l)" ] ||
  fail "classify doesn't give a class for each image"
# The example's mean and deviation are not those of this network, so its answers count only against the float model's.
"$prefix/bin/xinfer" validate "$work/int8.engine" --reference "$source/models/fashion_mobilenet_v2.onnx" \
  --data "$work/boots" --max-drop 15 || fail "the engine's answers are not the float model's"
ldd "$work/examples/classify" | grep -E 'libxinfer\.so|protobuf' >/dev/null && fail "classify needs more than the runtime"
if "$work/examples/classify" "$work/report" "$images" 2>"$work/error"; then fail "classify took a text as an engine"; fi
grep -q 'not an xInfer engine' "$work/error" || fail "classify doesn't say what is wrong"
echo "passed"
