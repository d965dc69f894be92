using System.CommandLine;
using Cluster.Worker.Commands.Lines;

namespace Cluster.Worker.Tests.Commands;

/// <summary>Every command line of the field that we know of, and what becomes of it: from vLLM's quick start, its pages on serving, engine
/// arguments, benchmarks and offline batches, AMD's pages on vLLM for Instinct GPUs, and TGI's launcher. A model's name stands for all
/// models.</summary>
public sealed class FieldCommandTests
{
    /// <summary>What is typed, and the command with every option that the parser was given, by name.</summary>
    public static TheoryData<string, string> Accepted => new()
    {
        // vLLM's quick start.
        { "serve Qwen/Qwen2.5-1.5B-Instruct", "serve --model=Qwen/Qwen2.5-1.5B-Instruct" },
        { "serve --model Qwen/Qwen2.5-1.5B-Instruct", "serve --model=Qwen/Qwen2.5-1.5B-Instruct" },
        { "vllm.entrypoints.openai.api_server --model org/m", "serve --model=org/m" },
        { "api_server --model org/m", "serve --model=org/m" },
        { "serve org/m --dtype auto --api-key token-abc123", "serve --api-key=token-abc123 --dtype=auto --model=org/m" },
        { "serve org/m --chat-template ./path-to-chat-template.jinja",
            "serve --chat-template=./path-to-chat-template.jinja --model=org/m" },
        { "serve org/m --host 0.0.0.0 --port 8000", "serve --host=0.0.0.0 --model=org/m --port=8000" },
        { "serve org/m --served-model-name a b --tensor_parallel_size 4",
            "serve --model=org/m --served-model-name=a b --tensor-parallel-size=4" },

        // AMD's pages: serving on MI300X.
        { "serve org/m -tp 8 --num-scheduler-step 15 --max-seq-len-to-capture 16384 --enable-chunked-prefill=False "
            + "--distributed-executor-backend mp",
            "serve --enable-chunked-prefill=False --max-seq-len-to-capture=16384 --model=org/m --num-scheduler-steps=15 "
            + "--tensor-parallel-size=8" },
        { "serve org/m --dtype float16 --tensor-parallel-size 8 --gpu-memory-utilization 0.99 --swap-space 16 --disable-log-requests "
            + "--trust-remote-code --num-scheduler-steps 10 --max-num-seqs 1024 --max-model-len 8192 --max-num-batched-tokens 65536",
            "serve --dtype=float16 --gpu-memory-utilization=0.99 --max-model-len=8192 --max-num-batched-tokens=65536 --max-num-seqs=1024 "
            + "--model=org/m --num-scheduler-steps=10 --tensor-parallel-size=8" },
        { "serve org/m -tp 1 --quantization fp8 --kv-cache-dtype fp8 --no-enable-prefix-caching",
            "serve --enable-prefix-caching=false --kv-cache-dtype=fp8 --model=org/m --quantization=fp8 --tensor-parallel-size=1" },
        { "serve org/m --enforce-eager --enable-chunked-prefill False --max-model-len=4096",
            "serve --enable-chunked-prefill=False --enforce-eager=true --max-model-len=4096 --model=org/m" },
        { "serve org/m --pipeline-parallel-size 1 --worker-use-ray --compilation-config {} -O3 --async-scheduling",
            "serve --model=org/m" },
        { "serve org/m --load-format safetensors --tokenizer-mode auto --task generate --model-impl auto --disable-custom-all-reduce",
            "serve --model=org/m" },
        { "serve --port 8001 org/m", "serve --model=org/m --port=8001" },
        { "serve org/m --enable-auto-tool-choice --uvicorn-log-level warning --disable-log-stats --disable-frontend-multiprocessing",
            "serve --enable-auto-tool-choice=true --model=org/m" },
        { "serve org/m --ssl-keyfile k.pem --ssl-certfile c.pem", "serve --model=org/m --tls-cert=c.pem --tls-key=k.pem" },
        { "serve org/m --num-gpu-blocks-override 512 --max-logprobs 5 --seed 0 --block-size 16",
            "serve --block-size=16 --max-logprobs=5 --model=org/m --num-gpu-blocks-override=512 --seed=0" },
        { "serve org/m --speculative-model [ngram] --num-speculative-tokens 5 --ngram-prompt-lookup-max 4 --use-v2-block-manager",
            "serve --model=org/m --ngram-prompt-lookup-max=4 --num-speculative-tokens=5 --speculative-model=[ngram]" },
        { """serve org/m --speculative-config {"method":"ngram","num_speculative_tokens":5,"prompt_lookup_max":4}""",
            "serve --model=org/m --ngram-prompt-lookup-max=4 --num-speculative-tokens=5 --speculative-model=[ngram]" },
        { """serve org/m -sc {"model":"org/draft","num_speculative_tokens":3}""",
            "serve --model=org/m --num-speculative-tokens=3 --speculative-model=org/draft" },

        { "serve org/m --max-model-len 8k --max-num-batched-tokens=16K",
            "serve --max-model-len=8k --max-num-batched-tokens=16K --model=org/m" },

        // Spellings.
        { "serve org/m --port 1 --port 2", "serve --model=org/m --port=2" },
        { "serve org/m --port=1 --served-model-name a --served-model-name b c --port 3",
            "serve --model=org/m --port=3 --served-model-name=b c" },
        { "serve org/m -tp 2 --tensor-parallel-size 4", "serve --model=org/m --tensor-parallel-size=4" },
        { "serve org/m --no-enable-prefix-caching --enable-prefix-caching", "serve --enable-prefix-caching=true --model=org/m" },
        { "serve org/m --enable-prefix-caching --no_enable_prefix_caching", "serve --enable-prefix-caching=false --model=org/m" },
        { "serve org/m --max_num_b 64", "serve --max-num-batched-tokens=64 --model=org/m" },
        { "serve org/m --enforce-eager=False", "serve --enforce-eager=False --model=org/m" },
        { "serve org/m --disable-log-requests=False --swap_space=4", "serve --model=org/m" },
        { "generate --model org/m --prompt --max_tokens=1 --chat", "generate --chat=true --model=org/m --prompt=--max_tokens=1" },
        { "generate --model org/m --prompt a_b --max_tokens 7", "generate --max-tokens=7 --model=org/m --prompt=a_b" },

        // TGI's launcher.
        { "launch --model-id org/m --num-shard 2 --port 8080 --hostname 0.0.0.0",
            "serve --host=0.0.0.0 --model=org/m --port=8080 --tensor-parallel-size=2" },
        { "text-generation-launcher --model-id org/m --quantize awq --trust-remote-code -p 3000",
            "serve --model=org/m --port=3000 --quantization=awq" },
        { "launch --model-id org/m --sharded true --num-shard 4", "serve --model=org/m --tensor-parallel-size=4" },
        { "launch --model-id org/m --sharded false --num-shard 4", "serve --model=org/m --tensor-parallel-size=1" },
        { "launch --model-id org/m --max-concurrent-requests 128 --max-total-tokens 2048 --max-input-tokens 1024",
            "serve --max-concurrent-requests=128 --max-input-tokens=1024 --max-model-len=2048 --model=org/m" },
        { "launch --model-id org/m --max-input-length 1000 --max-batch-prefill-tokens 4096 --max-batch-total-tokens 100 "
            + "--max-batch-size 8",
            "serve --max-input-tokens=1000 --max-num-batched-tokens=4096 --max-num-seqs=8 --model=org/m --num-gpu-blocks-override=7" },
        { "launch --model-id org/m --cuda-memory-fraction 0.8 --huggingface-hub-cache /data --revision main --dtype bfloat16",
            "serve --download-dir=/data --dtype=bfloat16 --gpu-memory-utilization=0.8 --model=org/m --revision=main" },
        { "launch --model-id org/m --speculate 3 --max-best-of 2 --waiting-served-ratio 0.3 --json-output --payload-limit 1000",
            "serve --max-request-bytes=1000 --model=org/m --num-speculative-tokens=3 --speculative-model=[ngram]" },

        // vLLM's benchmarks.
        { "benchmark_latency --model org/m --input-len 32 --output-len 128 --batch-size 8 --num-iters 5 --num-iters-warmup 1 -tp 8",
            "bench latency --batch-size=8 --input-len=32 --model=org/m --num-iters=5 --num-iters-warmup=1 --output-len=128 "
            + "--tensor-parallel-size=8" },
        { "benchmarks/benchmark_latency.py --model org/m --input_len 32 --output_len 1 --batch_size 1 --n 1 --output-json r.json",
            "bench latency --batch-size=1 --input-len=32 --model=org/m --output-json=r.json --output-len=1" },
        { "benchmark_throughput --model org/m --dataset s.json --num-prompts 10 --backend vllm",
            "bench throughput --dataset-name=sharegpt --dataset-path=s.json --model=org/m --num-prompts=10" },
        { "bench throughput --model org/m --dataset-name sonnet --dataset-path sonnet.txt --num-prompts 10 --async-engine",
            "bench throughput --dataset-name=sonnet --dataset-path=sonnet.txt --model=org/m --num-prompts=10" },
        { "benchmark_throughput --model org/m --input-len 128 --output-len 128 --num-prompts 4 --trust-remote-code --dtype float16",
            "bench throughput --dtype=float16 --input-len=128 --model=org/m --num-prompts=4 --output-len=128" },
        { "benchmark_serving --backend vllm --model org/m --dataset-name sharegpt --dataset-path s.json --num-prompts 10 "
            + "--request-rate inf",
            "bench serve --backend=vllm --dataset-name=sharegpt --dataset-path=s.json --model=org/m --num-prompts=10 --request-rate=inf" },
        { "benchmark_serving --backend vllm --model org/m --dataset s.json --request-rate 4 --disable-tqdm",
            "bench serve --backend=vllm --dataset-name=sharegpt --dataset-path=s.json --model=org/m --request-rate=4" },
        { "bench serve --model org/m --random-input-len 64 --random-output-len 8 --percentile-metrics ttft,tpot --metric-percentiles 50,99",
            "bench serve --metric-percentiles=50,99 --model=org/m --percentile-metrics=ttft,tpot --random-input-len=64 "
            + "--random-output-len=8" },

        // Offline.
        { "run-batch -i in.jsonl -o out.jsonl --model org/m", "run-batch --input-file=in.jsonl --model=org/m --output-file=out.jsonl" },
        { "run_batch --input-file in.jsonl --output_file out.jsonl --model org/m",
            "run-batch --input-file=in.jsonl --model=org/m --output-file=out.jsonl" },
        { "vllm.entrypoints.openai.run_batch -i in.jsonl -o out.jsonl --model org/m",
            "run-batch --input-file=in.jsonl --model=org/m --output-file=out.jsonl" },
        { "collect-env", "collect-env" },
        { "collect_env.py", "collect-env" },
    };

    /// <summary>What is typed, and a part of the error: what to use instead.</summary>
    public static TheoryData<string, string> Refused => new()
    {
        { "serve org/m --distributed-executor-backend ray", "--distributed-executor-backend ray: ranks are processes of this machine" },
        { "serve org/m --pipeline-parallel-size 2", "use --tensor-parallel-size, and more replicas" },
        { "serve org/m -dp 4", "use --tensor-parallel-size, and more replicas" },
        { "serve org/m --enable-lora --lora-modules a=b", "merge the adapter into the checkpoint" },
        { "serve org/m --tokenizer other/t", "the tokenizer is the one in the model's folder" },
        { "serve org/m --cpu-offload-gb 10", "use --quantization or more ranks" },
        { "serve org/m --load-format gguf", "weights are read from safetensors; accepted: auto, safetensors" },
        { "serve org/m --otlp-traces-endpoint http://x", "set OTEL_EXPORTER_OTLP_ENDPOINT" },
        { "serve org/m --num-s 4", "--num-s is the beginning of --num-scheduler-steps, --num-shard, --num-speculative-tokens" },
        { "serve org/a --model org/b", "two models are given, 'org/a' and --model 'org/b'; leave one out" },
        { "serve org/m --max-model-len 1.5K", "--max-model-len 1.5K: expected a whole number, such as 4096, 4k (4000) or 4K (4096)" },
        { "serve org/m --max-model-len -1k", "--max-model-len -1k: must be at least 1" },
        { "serve", "A model is required" },
        { "serve org/m --colour blue", "Unrecognized command or argument '--colour'" },
        { "serve org/m org/n", "Unrecognized command or argument 'org/n'" },
        { "serve --colour", "Unrecognized command or argument '--colour'" },
        { "serve org/m --speculative-config {\"method\":\"eagle\"}", "'method': eagle is not possible" },
        { "serve org/m --speculative-config eagle", "expected an object in JSON" },
        { "serve org/m --max-concurrent-requests 5 --max-queue 3", "cannot be used together" },
        { "launch --model-id org/m --sharded true", "how many GPUs? Add --num-shard N" },
        { "launch --model-id org/m --env", "collect-env prints" },
        { "launch --model-id org/m --tokenizer-config-path t.json", "use --chat-template FILE" },
        { "benchmark_throughput --model org/m --input-len 1 --output-len 1 --backend hf", "other servers by bench serve --base-url" },
        { "benchmark_latency --model org/m --use-beam-search", "send use_beam_search with requests" },
        { "benchmark_latency --model org/m --n 2", "raise --batch-size" },
        { "chat --url http://localhost:8000/v1", "generate --chat --prompt TEXT asks once" },
        { "complete", "generate --prompt TEXT asks once" },
        { "download-weights org/m", "serve downloads what it needs" },
        { "generate --model org/m --prompt x --model-id y --hostname z", "--hostname means --host, which generate does not have" },
    };

    [Theory, MemberData(nameof(Accepted))]
    public void A_command_of_the_field_does_what_it_says(string typed, string outcome)
    {
        var root = Program.CreateRoot();
        var line = Read(root, typed);

        Assert.Empty(line.Errors);
        var parsed = root.Parse([.. line.Arguments]);
        Assert.Empty(parsed.Errors.Select(error => error.Message));
        Assert.Equal(outcome, Describe(line.Path, parsed));
    }

    [Theory, MemberData(nameof(Refused))]
    public void A_command_of_the_field_that_cannot_be_done_is_refused_with_what_to_use(string typed, string error)
    {
        var root = Program.CreateRoot();
        var line = Read(root, typed);

        Assert.Contains(
            line.Errors.Concat(root.Parse([.. line.Arguments]).Errors.Select(one => one.Message)),
            message => message.Contains(error, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_row_of_the_table_says_one_thing_about_its_option()
    {
        foreach (var path in (string[])["serve", "bench latency", "bench throughput", "bench serve", "run-batch"])
        {
            var flags = ForeignFlags.Of(path);
            Assert.All(flags, flag =>
            {
                string[] values = flag.Takes is ForeignValue.None or ForeignValue.Switch ? [] : ["x"];
                var answer = flag.Read(new ForeignUse(flag.Names[0], values, new Dictionary<string, string>(), _ => false));

                Assert.True(
                    answer.Options.Count > 0 || answer.Note is { Length: > 0 } != answer.Error is { Length: > 0 },
                    $"{path} {flag.Names[0]}");
            });
        }
    }

    internal static WorkerLine Read(
        RootCommand root, string typed, IReadOnlyDictionary<string, string>? variables = null, Func<string, string>? files = null) =>
        WorkerLine.Read(
            root, typed.Split(' '), variables ?? new Dictionary<string, string>(),
            files ?? (name => throw new FileNotFoundException(name)));

    /// <summary>The command with every option that was given, by name.</summary>
    internal static string Describe(string path, ParseResult parsed) =>
        string.Join(
            ' ',
            parsed.CommandResult.Command.Options
                .Select(option => (option.Name, Result: parsed.GetResult(option)))
                .Where(one => one.Result is { Implicit: false })
                .OrderBy(one => one.Name, StringComparer.Ordinal)
                .Select(one => $"{one.Name}={string.Join(' ', one.Result!.Tokens.Select(token => token.Value))}")
                .Prepend(path));
}
