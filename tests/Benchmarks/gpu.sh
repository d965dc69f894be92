#!/usr/bin/env bash
# gpu.sh: what a device can do, in one call and one table, on a machine that has nothing but its driver.
#
#   tests/Benchmarks/gpu.sh [--device auto] [--model synthetic:llama-1b] [--quick] [--goldens N] [--out FILE]
#   tests/Benchmarks/gpu.sh --pack gpu.tar.gz        makes a bundle: copy it there, unpack it, call ./gpu.sh in it
#
# Lists the devices, runs every reference checkpoint on the device, and measures decoding of one sequence in percent of the memory's
# rate, prompts in percent of the rate of arithmetic, and 256 sequences at once; beside PyTorch and transformers on the same shapes where
# python3 can import them. --quick takes a small model and few tokens, for processors. Exits with 1 when a reference result is missed.
#
# The worker: cluster-worker beside this file (a bundle), else CLUSTER_WORKER (a program, or a .dll for dotnet or CLUSTER_WORKER_HOST),
# else it is published, as one file that brings its runtime along and has less than 60 MB.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
most_bytes=60000000
device=auto model= quick= goldens= pack= out=

while [ $# -gt 0 ]; do
  case $1 in
    --device | --model | --goldens | --pack | --out)
      [ $# -ge 2 ] || { echo "gpu.sh: $1 needs a value" >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2
      ;;
    --quick) quick=1; shift ;;
    *) echo "gpu.sh: unknown option $1; see the head of the file" >&2; exit 2 ;;
  esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Publishes the worker as one file into a folder, and holds it to its size: compiled ahead of time it would exceed that.
publish() {
  dotnet publish "$here/../../worker" -c Release -r linux-x64 --self-contained -p:PublishSingleFile=true \
    -p:EnableCompressionInSingleFile=true -p:InvariantGlobalization=true -p:PublishReadyToRun=false -p:DebugType=none \
    -p:RunAnalyzers=false \
    -o "$1" -v q >"$work/publish.log" 2>&1 || { tail -20 "$work/publish.log" >&2; return 1; }
  local bytes
  bytes=$(stat -c %s "$1/cluster-worker")
  echo "published $bytes bytes" >&2
  [ "$bytes" -lt $most_bytes ] || { echo "gpu.sh: the worker has $bytes bytes; the limit is $most_bytes" >&2; return 1; }
}

if [ -n "$pack" ]; then
  mkdir -p "$work/gpu" && publish "$work/published" || exit 1
  cp "$work/published/cluster-worker" "$here/gpu.sh" "$work/gpu/"
  cp -r "$here/../fixtures/goldens" "$here/../../deploy/samples/models/haiku-1m" "$work/gpu/"
  tar -czf "$pack" -C "$work" gpu
  echo "$pack: $(stat -c %s "$pack") bytes; on the machine with the GPU: tar xzf $(basename "$pack") && gpu/gpu.sh"
  exit 0
fi

if [ -x "$here/cluster-worker" ]; then
  worker=("$here/cluster-worker") references=$here/goldens haiku=$here/haiku-1m
else
  references=$here/../fixtures/goldens haiku=$here/../../deploy/samples/models/haiku-1m
  case ${CLUSTER_WORKER:-} in
    "") publish "$work/published" || exit 1; worker=("$work/published/cluster-worker") ;;
    *.dll) worker=("${CLUSTER_WORKER_HOST:-dotnet}" exec "$CLUSTER_WORKER") ;;
    *) worker=("$CLUSTER_WORKER") ;;
  esac
fi

if [ -n "$quick" ]; then
  model=${model:-$haiku} input=64 output=16 sequences=256 context=256 iterations=1
else
  model=${model:-synthetic:llama-1b} input=1024 output=128 sequences=256 context=2048 iterations=3
fi

rows=()
row() { rows+=("$(printf '%-26s %s' "$1" "$2")"); }

# A number of a JSON file: the first field of that name.
field() { grep -o "\"$2\": *[-0-9.eE+]*" "$1" | head -1 | sed 's/.*: *//'; }
text() { grep -o "\"$2\": *\"[^\"]*\"" "$1" | head -1 | sed 's/.*: *"//; s/"$//'; }
fixed() { awk -v x="${1:-0}" -v d="$2" 'BEGIN { printf "%.*f", d, x }'; }
share() { awk -v x="${1:-0}" -v y="${2:-0}" -v u="$3" 'BEGIN { if (y > 0) printf "%.0f %% of %.0f %s", 100 * x / y, y, u; else printf "peak unknown" }'; }

echo "== devices"
"${worker[@]}" devices 2>&1 | tee "$work/devices" || true

echo "== reference results on $device"
passed=0 missed=()
for folder in $(ls "$references" | head -n "${goldens:-1000}"); do
  [ -f "$references/$folder/golden.safetensors" ] || continue
  if "${worker[@]}" verify --device "$device" --model "$references/$folder" --golden "$references/$folder/golden.safetensors" \
    >"$work/golden" 2>&1; then
    passed=$((passed + 1))
  else
    missed+=("$folder")
    tail -3 "$work/golden"
  fi
done
row "reference results" "$passed passed, ${#missed[@]} missed${missed:+: ${missed[*]}}"
echo "$passed passed, ${#missed[@]} missed"

# bench NAME PROMPTS INPUT OUTPUT: one measurement of throughput into $work/NAME.json.
bench() {
  "${worker[@]}" bench throughput --device "$device" --model "$model" --num-prompts "$2" --input-len "$3" --output-len "$4" \
    --max-num-seqs "$sequences" --max-model-len "$context" --output-json "$work/$1.json" >"$work/$1.log" 2>&1 \
    || { tail -5 "$work/$1.log"; row "$1" "failed: $(tail -1 "$work/$1.log")"; return 1; }
}

echo "== $model on $device"
status=$(( ${#missed[@]} > 0 ))
for ((i = 0; i < iterations; i++)); do
  bench decode 1 "$input" "$output" || { status=1; break; }
  echo "decode of one: $(fixed "$(field "$work/decode.json" decode_tokens_per_second)" 1) tokens/s"
done
if [ -f "$work/decode.json" ]; then
  peaks=$(text "$work/decode.json" peak_source)
  gigabytes=$(field "$work/decode.json" decode_gigabytes_per_second)
  row "decode, 1 sequence" "$(fixed "$(field "$work/decode.json" decode_tokens_per_second)" 1) tokens/s, $(fixed "$gigabytes" 1) GB/s, $(
    share "$gigabytes" "$(field "$work/decode.json" peak_gigabytes_per_second)" GB/s)"
fi

if bench prefill 8 "$input" 1; then
  gflops=$(field "$work/prefill.json" prefill_gflops_per_second)
  row "prefill" "$(fixed "$(field "$work/prefill.json" prefill_tokens_per_second)" 1) tokens/s, $(fixed "$gflops" 1) GFLOP/s, $(
    share "$gflops" "$(field "$work/prefill.json" peak_gflops_per_second)" GFLOP/s)"
else
  status=1
fi

if bench many "$sequences" "$((input / 4))" "$output"; then
  many=$(field "$work/many.json" output_tokens_per_second)
  row "$sequences sequences" "$(fixed "$many" 1) output tokens/s"
else
  status=1
fi

# The same shapes in PyTorch: random weights, greedy, no sampling to tell apart.
cat >"$work/torch.py" <<'PYTHON'
import sys, time
import torch, transformers
name, one_in, one_out, many, many_in, many_out = sys.argv[1], *map(int, sys.argv[2:7])
shapes = {
    "synthetic:llama-135m": (576, 1536, 30, 9, 3, 49152), "synthetic:llama-160m": (768, 3072, 12, 12, 12, 32000),
    "synthetic:llama-1b": (2048, 8192, 16, 32, 8, 128256), "synthetic:llama-8b": (4096, 14336, 32, 32, 8, 128256),
    "synthetic:llama-70b": (8192, 28672, 80, 64, 8, 128256),
}
device = "cuda" if torch.cuda.is_available() else "cpu"
if name in shapes:
    hidden, inner, layers, heads, kv, vocabulary = shapes[name]
    config = transformers.LlamaConfig(
        hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv,
        vocab_size=vocabulary, max_position_embeddings=4096)
else:
    config = transformers.AutoConfig.from_pretrained(name)
torch.manual_seed(0)
torch.set_default_dtype(torch.bfloat16)
model = transformers.AutoModelForCausalLM.from_config(config).to(device).eval()
def rate(sequences, length, new):
    ids = torch.randint(0, config.vocab_size, (sequences, length), device=device)
    best = 0.0
    for _ in range(2):
        start = time.perf_counter()
        with torch.inference_mode():
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=new, max_new_tokens=new, pad_token_id=0)
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, sequences * new / (time.perf_counter() - start))
    return best
print(f"{device} {rate(1, one_in, one_out):.1f} {rate(many, many_in, many_out):.1f}")
PYTHON
if ! python3 -c 'import torch, transformers' >/dev/null 2>&1; then
  row "PyTorch" "not measured: python3 cannot import torch and transformers"
elif result=$(python3 "$work/torch.py" "$model" "$input" "$output" "$sequences" "$((input / 4))" "$output" 2>"$work/torch.log" | tail -1); then
  read -r on one all <<<"$result"
  row "PyTorch on $on" "$one tokens/s of one sequence; $all of $sequences: this is $(awk -v x="${many:-0}" -v y="$all" 'BEGIN { printf "%.1f", y > 0 ? x / y : 0 }') times that"
else
  row "PyTorch" "failed: $(tail -1 "$work/torch.log")"
fi

{
  echo
  echo "$model on $device, $(date -u +%Y-%m-%d); peaks: ${peaks:-unknown}"
  printf '%s\n' "${rows[@]}"
} | tee ${out:+"$out"}
exit "$status"
