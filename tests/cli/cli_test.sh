#!/usr/bin/env bash
# Runs the program as a user would and checks exit codes, messages, outputs and what is left on disk.
# usage: cli_test.sh XINFER MODEL.onnx IMAGES     IMAGES holds calib/ and test/<class>/, as tools/fashion_mnist_images writes them
set -uo pipefail

xinfer=$1
model=$2
images=$3
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir out  # what a failing command may not write into
failures=0
checks=0
step=()

complain() {
  failures=$((failures + 1))
  echo "FAILED: $1" >&2
  printf '    command: %s\n' "${step[*]}" >&2
  sed 's/^/    stdout: /' "$work/stdout" | head -5 >&2
  sed 's/^/    stderr: /' "$work/stderr" | head -8 >&2
}

run() { # EXIT-CODE COMMAND...: runs it and checks the exit code; leaves stdout, stderr and $work/stdout, $work/stderr
  local wanted=$1 got=0
  shift
  step=("$@")
  checks=$((checks + 1))
  timeout 120 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || got=$?
  [ "$got" -eq "$wanted" ] || complain "exit code $got instead of $wanted"
}

succeeds() { # COMMAND...: exit code 0, and nothing on stderr: progress is silent where it is no terminal
  run 0 "$@"
  [ ! -s "$work/stderr" ] || complain "something was printed on stderr"
}

fails() { # PATTERN COMMAND...: exit code 1, one message that begins with "xinfer: ", nothing on stdout or in out/
  local pattern=$1
  shift
  run 1 "$@"
  one_message "$pattern"
  [ ! -s "$work/stdout" ] || complain "something was printed on stdout"
}

misused() { # PATTERN COMMAND...: exit code 2 and one message
  local pattern=$1
  shift
  run 2 "$@"
  one_message "$pattern"
}

one_message() { # PATTERN
  [ "$(grep -c '^xinfer: ' "$work/stderr")" -eq 1 ] || complain "not exactly one message"
  [ "$(head -c 8 "$work/stderr")" = "xinfer: " ] || complain "the message does not come first"
  grep -qiE -- "$1" "$work/stderr" || complain "the message does not say '$1'"
  grep -qE 'internal error|terminate called|Sanitizer|#0 ' "$work/stderr" && complain "a crash or an internal error"
  [ -z "$(ls -A out)" ] || { complain "left behind: $(ls -A out)"; rm -rf out/*; }
}

prints() { grep -qE -- "$1" "$work/stdout" || complain "the output lacks '$1'"; }
json() { jq -e "$1" "$work/stdout" >/dev/null 2>&1 || complain "the JSON output is not as '$1' wants"; }

calib=(--calib "$images/calib" --count 24 --mean 0.286,0.286,0.286 --std 0.353,0.353,0.353)
shirt=$(ls "$images"/test/0_tshirt/*.png | head -1)
boot=$(ls "$images"/test/9_boot/*.png | head -1)
mkdir small_test
for class in "$images"/test/*/; do
  mkdir "small_test/$(basename "$class")"
  ls "$class"/*.png | head -3 | xargs -I{} cp {} "small_test/$(basename "$class")"
done

echo "-- help and usage"
succeeds "$xinfer" --help
prints 'validate'
succeeds "$xinfer" --version
prints '^xinfer [0-9]'
declare -A enough=([build]="x -o out/e" [calibrate]="x -o out/c" [validate]=x [run]="x y" [bench]=x [inspect]="$model"
  [recalibrate]="x -o out/r" [drift]=x)
for command in build calibrate validate run bench inspect recalibrate drift; do
  succeeds "$xinfer" "$command" --help
  prints 'Example'
  misused 'required|engine|model|file' "$xinfer" "$command"
  read -ra words <<<"${enough[$command]}"
  misused 'frobnicate' "$xinfer" "$command" "${words[@]}" --frobnicate
done
misused 'subcommand' "$xinfer"
misused 'frobnicate|subcommand' "$xinfer" frobnicate
misused 'int8.*fp32' "$xinfer" build "$model" -o out/e
misused 'calibration needs data' "$xinfer" build "$model" --int8 -o out/e
misused 'one of them' "$xinfer" build "$model" --int8 --fp32 "${calib[@]}" -o out/e
misused '12xy' "$xinfer" build "$model" --int8 --calib "$images/calib" --resize 12xy -o out/e
misused 'give both' "$xinfer" build "$model" --int8 --calib "$images/calib" --mean 0,0,0 -o out/e
misused 'PATTERN' "$xinfer" build "$model" --int8 "${calib[@]}" --precision nonsense -o out/e
misused '--shape' "$xinfer" build "$model" --fp32 --shape nonsense -o out/e
misused 'max-batch' "$xinfer" build "$model" --fp32 --max-batch 0 -o out/e
misused 'method' "$xinfer" build "$model" --int8 "${calib[@]}" --method guess -o out/e
misused 'calib-device' "$xinfer" build "$model" --int8 "${calib[@]}" --calib-device tpu -o out/e
misused '--allow-cpu-fallback' "$xinfer" build "$model" --fp32 --allow-cpu-fallback -o out/e
misused 'only --int8 calibrates' "$xinfer" build "$model" --fp32 --calib-device cuda -o out/e

misused 'int8' "$xinfer" build "$model" --fp32 --max-drop 1 -o out/e
misused 'max-drop' "$xinfer" build "$model" --int8 "${calib[@]}" --max-drop -1 -o out/e
misused 'no-repair' "$xinfer" build "$model" --int8 "${calib[@]}" --no-repair magic -o out/e
misused 'OPERATOR' "$xinfer" build "$model" --int8 "${calib[@]}" --op-precision Conv -o out/e

echo "-- build, validate, run, bench, inspect, calibrate"
printf '%s\n' tshirt trouser pullover dress coat sandal shirt sneaker bag boot >labels.txt
succeeds "$xinfer" build "$model" --int8 "${calib[@]}" --max-batch 8 --check 8 --cache model.calib --labels labels.txt \
  --json -o int8.engine
json '.precision == "int8" and .calibration.samples == 24 and .int8_nodes > 50 and .accuracy.samples == 8'
succeeds "$xinfer" build "$model" --int8 "${calib[@]}" --max-batch 8 --check 0 --cache model.calib -o cached.engine
prints 'from the cache'
succeeds "$xinfer" build "$model" --int8 "${calib[@]}" --check 8 --cache model.calib --eval small_test --max-drop 10 \
  --report report.html --report report.json --no-repair rounding,bias -o budget.engine
prints 'metric +top-1: FP32 .* within the budget of 10.00'
step=(jq "report.json")
jq -e '.metric.name == "top-1" and .metric.budget == 10 and (.pareto | length) == 1 and (.layers | length) > 50
  and (.tensors[0].histogram | length) == 64 and (.worst | length) > 0 and .data.images == 24
  and (.outputs[0].kl_divergence < 1) and ([.layers[] | select(.sensitivity_db)] | length) > 50' report.json >"$work/stdout" ||
  complain "the report lacks something"
grep -q '</html>' report.html || complain "report.html is no whole page"
printf '[{"operator": "Linear", "precision": "float"}]' >precision.json
succeeds "$xinfer" build "$model" --int8 "${calib[@]}" --check 0 --effort 0 --precision-file precision.json -o mixed.engine
prints '1 in float: override of every Linear'
succeeds "$xinfer" build "$model" --int8 "${calib[@]}" --check 0 --effort 0 --op-precision Linear=fp32 -o mixed.engine
prints '1 in float: override of every Linear'
succeeds "$xinfer" calibrate "$model" "${calib[@]}" -o alone.calib
prints '24 samples'
cmp -s model.calib alone.calib || complain "calibrate and build --cache write different ranges"
if "$xinfer" doctor --json | jq -e '.gpus | length == 0' >/dev/null; then
  fails 'no usable NVIDIA GPU' "$xinfer" calibrate "$model" "${calib[@]}" --calib-device cuda -o out/c
else
  succeeds "$xinfer" calibrate "$model" "${calib[@]}" --calib-device cuda -o gpu.calib
  prints '24 samples'
fi
succeeds "$xinfer" build "$model" --fp32 --max-batch 8 --mean 0.286,0.286,0.286 --std 0.353,0.353,0.353 -o fp32.engine
succeeds "$xinfer" validate int8.engine --reference "$model" --data small_test --max-drop 20 --json
json '.samples == 30 and .engine.top1 >= 60 and .agreement >= 80 and .drop <= 20'
succeeds "$xinfer" validate int8.engine --data small_test
prints 'top-1'
run 1 "$xinfer" validate int8.engine --reference "$model" --data small_test --max-drop -100
one_message 'larger than'
prints 'drop'
succeeds "$xinfer" run int8.engine "$shirt" "$boot"
prints 'boot'
succeeds "$xinfer" run int8.engine "$boot" --top 2 --json
json 'length == 1 and (.[0].top | length) == 2 and .[0].top[0].label == "boot" and .[0].top[0].probability > 0.5'
succeeds "$xinfer" run fp32.engine "$boot" --labels labels.txt --json
json '.[0].top[0].class == 9'
# Arrays: the engine's own float output serves as a .npy file of known form.
succeeds "$xinfer" run fp32.engine "$shirt" "$boot" -o scores.npy
[ "$(head -c 6 scores.npy | tail -c 5)" = NUMPY ] || complain "scores.npy is no array"
{ printf '\x93NUMPY\x01\x00v\x00'; printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 32, 32), }"
  head -c $((2 * 3 * 32 * 32 * 4)) /dev/zero; } >zeros.npy
succeeds "$xinfer" run int8.engine zeros.npy --json
json 'length == 2 and .[0].top[0].score == .[1].top[0].score'
succeeds "$xinfer" run int8.engine input=zeros.npy -o answers.npy
[ "$(stat -c %s answers.npy)" -eq $((128 + 2 * 10 * 4)) ] || complain "answers.npy has the wrong size"
succeeds "$xinfer" bench int8.engine --batch 2 --seconds 0.1 --profile --json
json '.batch == 2 and .runs >= 1 and .samples_per_second > 0 and .latency_ms.min <= .latency_ms.p50 and (.layers | length) > 50'
succeeds "$xinfer" bench int8.engine --seconds 0.1 --streams 2
prints 'throughput'
# Drift: images as they should be, and with three times the contrast.
succeeds "$xinfer" drift int8.engine --data small_test
prints '^30 samples, [0-9]+ tensors'
succeeds "$xinfer" drift int8.engine --data small_test --mean 0.286,0.286,0.286 --std 0.12,0.12,0.12 --json
json '.samples == 30 and (.tensors[0] | .tensor == "input" and .drifted and .share > 0.1 and .largest > 1.5)'
succeeds "$xinfer" recalibrate int8.engine --data small_test -o small.engine
prints '30 samples, ranges by auto'
prints 'new scales  SQNR'
succeeds "$xinfer" validate small.engine --reference "$model" --data small_test --max-drop 20
succeeds "$xinfer" recalibrate int8.engine --data-npy zeros.npy -o zeros.engine --method minmax --json
json '.samples == 2 and .range_method == "minmax" and (.changes | length) > 50'
fails 'no layer in INT8' "$xinfer" recalibrate fp32.engine --data small_test -o out/r
fails 'nothing in integers' "$xinfer" drift fp32.engine --data small_test
fails 'no engine|not an' "$xinfer" recalibrate "$model" --data small_test -o out/r
misused 'either' "$xinfer" drift int8.engine
misused 'either' "$xinfer" recalibrate int8.engine -o out/r
succeeds "$xinfer" bench int8.engine --seconds 0.1 --drift 2
succeeds "$xinfer" inspect int8.engine --why
prints 'layers compute in INT8'
prints 'normalize'
succeeds "$xinfer" inspect int8.engine --json
json '.max_batch == 8 and .inputs[0].shape == [-1, 3, 32, 32] and (.layers | length) > 50 and .labels[9] == "boot"'
succeeds "$xinfer" inspect int8.engine --kernels
prints 'not built for GPUs'
if "$xinfer" doctor --json | jq -e '.compiler.available' >/dev/null; then
  succeeds "$xinfer" build "$model" --fp16 --gpu-arch 80 --batches 1 --allow-cpu-fallback --no-never-slower --json -o half.engine
  json '.gpu.kernels > 0 and .remarks == []'
  succeeds "$xinfer" inspect half.engine --device cpu --kernels
  prints 'kernels on sm_80 at batch 1, chosen by rule'
  prints '_conv'
  succeeds "$xinfer" inspect half.engine --device cpu --json
  json '.gpu.batches == [1] and .gpu.host_nodes == [] and (.gpu.choices | length) > 50 and .gpu.choices[0].arch == "80"
        and .gpu.choices[0].tuned_microseconds == 0 and .layers[0].floor_microseconds == 0'
fi
succeeds "$xinfer" inspect "$model" --json
json '.operators.Conv > 50'
for file in int8.engine "$model"; do
  succeeds "$xinfer" inspect "$file" --dot
  prints '^digraph'
done
succeeds "$xinfer" inspect "$model" --raw
prints 'nodes, '
succeeds "$xinfer" doctor --help
prints 'Example'
succeeds "$xinfer" doctor
prints '^GPU .*(none: .+|multiprocessors)'
succeeds "$xinfer" doctor --json
json '.ok and (.cpu.isa | length) > 0 and (.gpus | length > 0) == (.why_no_gpu == "") and .compiler.available == (.compiler.why_not == "")'
run 1 env XINFER_NVRTC=/nonexistent/libnvrtc.so "$xinfer" doctor
prints 'XINFER_NVRTC does not name'

echo "-- bad files"
: >empty
head -c 3000 /dev/urandom >random
head -c 20000 "$model" >truncated.onnx
head -c 20000 int8.engine >truncated.engine
head -c 100 zeros.npy >truncated.npy
head -c 200 "$boot" >truncated.png
mkdir no_images broken_images
cp "$shirt" broken_images/a.png
cp truncated.png broken_images/b.png
for bad in missing empty random truncated.onnx; do
  fails "$bad" "$xinfer" build "$bad" --int8 "${calib[@]}" -o out/e
done
for bad in missing empty random truncated.engine "$model" .; do
  fails 'engine' "$xinfer" run "$bad" "$boot"
  fails 'engine' "$xinfer" bench "$bad"
  fails 'engine' "$xinfer" validate "$bad" --data small_test
done
for bad in empty random truncated.engine truncated.onnx; do
  fails "$bad" "$xinfer" inspect "$bad"
done
misused 'missing' "$xinfer" inspect missing
for bad in missing.png empty random truncated.png; do
  fails "$bad" "$xinfer" run int8.engine "$shirt" "$bad"
done
cp random random.npy
cp empty empty.npy
for bad in missing.npy empty.npy random.npy truncated.npy; do
  fails "$bad" "$xinfer" run int8.engine "$bad"
  fails "$bad" "$xinfer" build "$model" --int8 --calib-npy "$bad" -o out/e
done
sed 's/(2, 3, 32, 32)/(0, 3, 32, 32)/' zeros.npy | head -c 128 >none.npy
fails 'no samples' "$xinfer" run int8.engine none.npy
fails 'no samples|no images' "$xinfer" build "$model" --int8 --calib-npy none.npy -o out/e
fails "'input'.*shape" "$xinfer" run int8.engine scores.npy
fails "'input'.*shape" "$xinfer" build "$model" --int8 --calib-npy scores.npy -o out/e
fails "'wrong'|'input'" "$xinfer" run int8.engine wrong=zeros.npy
fails 'zero' "$xinfer" build "$model" --int8 --calib-npy zeros.npy -o out/e
fails 'missing' "$xinfer" build "$model" --int8 --calib missing -o out/e
fails 'no_images' "$xinfer" build "$model" --int8 --calib no_images -o out/e
fails 'b.png' "$xinfer" build "$model" --int8 --calib broken_images -o out/e
run 0 "$xinfer" build "$model" --int8 --calib broken_images --skip-broken --check 0 -o skipped.engine
prints 'b.png'
fails "'input'.*shape" "$xinfer" build "$model" --int8 --calib "$images/calib" --resize 16x16 -o out/e
fails 'no_such_layer' "$xinfer" build "$model" --int8 "${calib[@]}" --precision 'no_such_layer=fp32' -o out/e
fails 'empty' "$xinfer" build "$model" --fp32 --labels empty -o out/e
fails 'random' "$xinfer" build "$model" --int8 "${calib[@]}" --precision-file random -o out/e
fails 'no_images' "$xinfer" build "$model" --int8 "${calib[@]}" --eval no_images -o out/e
fails 'report.txt' "$xinfer" build "$model" --int8 "${calib[@]}" --report out/report.txt -o out/e
# Ranges of a single image change some answers, and no layer may leave INT8.
fails 'no plan with INT8 layers keeps' "$xinfer" build "$model" --int8 --calib "$images/calib" --count 1 --effort 0 \
  --mean 0.286,0.286,0.286 --std 0.353,0.353,0.353 --method entropy --eval "$images/test" --eval-count 200 --max-drop 0 --precision '*=int8' -o out/e
cp random bad.calib
run 0 "$xinfer" build "$model" --int8 "${calib[@]}" --check 0 --cache bad.calib -o again.engine
prints 'cache not used'

fails 'threads' "$xinfer" bench int8.engine --threads -3
fails 'threads' "$xinfer" build "$model" --fp32 --threads -3 -o out/e
for batch in 0 9; do
  fails 'batch' "$xinfer" inspect int8.engine --batch "$batch"
done
fails 'batch of 9' "$xinfer" bench int8.engine --batch 9

echo "-- outputs that can't be written"
fails 'No space left' "$xinfer" build "$model" --int8 "${calib[@]}" --check 0 -o /dev/full
fails 'No space left' "$xinfer" calibrate "$model" "${calib[@]}" -o /dev/full
fails 'No space left' "$xinfer" run int8.engine "$boot" -o /dev/full
fails 'does not exist' "$xinfer" build "$model" --int8 "${calib[@]}" -o out/missing/e
fails 'directory' "$xinfer" build "$model" --fp32 -o out
if [ "$(id -u)" -ne 0 ]; then # root writes everywhere
  mkdir locked
  chmod a-w locked
  fails 'Permission denied' "$xinfer" build "$model" --fp32 -o locked/e
fi
full() { "$@" >/dev/full; }
for command in "inspect int8.engine" "inspect $model" "bench int8.engine --seconds 0.1" "run int8.engine $boot" \
  "validate int8.engine --data small_test"; do
  read -ra words <<<"$command"
  step=("$xinfer" "${words[@]}" '>/dev/full')
  checks=$((checks + 1))
  code=0
  timeout 60 "$xinfer" "${words[@]}" >/dev/full 2>"$work/stderr" || code=$?
  : >"$work/stdout"
  [ "$code" -eq 1 ] || complain "exit code $code instead of 1"
  one_message 'standard output'
done

echo "-- an interrupt"
mkdir many
for i in $(seq 40); do cp -r "$images/calib" "many/$i" 2>/dev/null; done
step=("$xinfer" build "(interrupted)")
checks=$((checks + 1))
"$xinfer" build "$model" --int8 --calib many --mean 0.286,0.286,0.286 --std 0.353,0.353,0.353 --cache out/c -o out/e \
  >"$work/stdout" 2>"$work/stderr" &
pid=$!
sleep 3
kill -INT "$pid"
code=0
wait "$pid" || code=$?
[ "$code" -eq 1 ] || complain "exit code $code instead of 1"
one_message 'stopped|cancel'

echo "$checks commands, $failures failures"
[ "$failures" -eq 0 ]
