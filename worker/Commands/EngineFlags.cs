using System.CommandLine;
using System.CommandLine.Parsing;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Commands;

/// <summary>The engine options every command shares, with vLLM's names. An option this build cannot honour is refused, never ignored.</summary>
internal sealed class EngineFlags
{
    public Option<string> Model { get; } = new("--model") { Description = "Folder with a Hugging Face checkpoint, hf://org/name@revision or org/name (downloaded from the hub), or synthetic:llama-135m / -160m / -1b (random weights in true shapes, for benchmarks).", Required = true, HelpName = "MODEL" };

    public Option<string?> Revision { get; } = new("--revision") { Description = "Branch, tag or commit of a model on the hub. Default: main.", HelpName = "REVISION" };

    public Option<string?> DownloadDir { get; } = new("--download-dir") { Description = "Folder to download models to. Default: the cache that HF_HUB_CACHE or HF_HOME names.", HelpName = "DIR" };

    /// <summary>Most ranks of a group.</summary>
    private const int MaxTensorParallelSize = 64;

    public Option<int> TensorParallelSize { get; } = new Option<int>("--tensor-parallel-size", "-tp") { Description = "GPUs this worker spreads the model over, with a process for each; on the CPU, processes that share its threads and memory.", DefaultValueFactory = _ => 1, HelpName = "N" }
        .Between(1, MaxTensorParallelSize);

    public Option<double> DistributedTimeout { get; } = new Option<double>("--distributed-timeout") { Description = "Silence of one of those processes after which it is taken for lost and the worker ends.", DefaultValueFactory = _ => 30, HelpName = "SECONDS" }
        .Only(value => value is >= 1 and <= 86400, "1 to 86400 seconds");

    public Option<string> DType { get; } = OptionChecks.OneOf("--dtype", "Arithmetic of activations. The CPU computes in float32 and keeps weights as stored.", "auto", "float32");

    public Option<string> Quantization { get; } = OptionChecks.OneOf("--quantization", "How weights are quantized; auto reads it from the checkpoint, anything else must agree with it.", "auto", "none", "fp8", "gptq", "awq", "squeezellm", "compressed-tensors");

    public Option<string> KvCacheDType { get; } = KvCacheDTypeOption();

    public Option<int?> MaxModelLen { get; } = new Option<int?>("--max-model-len") { Description = "Longest sequence, prompt and output together. Default: what the model was trained for.", HelpName = "TOKENS" }.Between(1);

    public Option<int> BlockSize { get; } = new("--block-size") { Description = "Token slots of a KV block.", DefaultValueFactory = _ => 16, HelpName = "TOKENS" };

    public Option<double> GpuMemoryUtilization { get; } = new Option<double>("--gpu-memory-utilization") { Description = "Fraction of the device's memory for weights and KV cache.", DefaultValueFactory = _ => 0.9, HelpName = "FRACTION" }
        .Only(value => value is > 0 and <= 1, "above 0 and at most 1");

    public Option<int> MaxNumSeqs { get; } = Positive("--max-num-seqs", "Most sequences in a step.", 256);

    public Option<int> MaxNumBatchedTokens { get; } = Positive("--max-num-batched-tokens", "Most tokens in a step: the budget that prefill and decode share.", 2048);

    public Option<int> MaxQueue { get; } = new Option<int>("--max-queue") { Description = "Requests that may wait beyond those that run; one more is refused (429, RESOURCE_EXHAUSTED).", DefaultValueFactory = _ => new EngineOptions().MaxQueue, HelpName = "N" }.Between(0);

    public SwitchFlag PrefixCaching { get; } = new("prefix-caching", "Keep finished blocks for prompts that begin alike.");

    public SwitchFlag ChunkedPrefill { get; } = new("chunked-prefill", "Split long prompts over steps, so that running requests are not held up.");

    public Option<int> NumSchedulerSteps { get; } = Positive("--num-scheduler-steps", "Decode steps a plan covers; new requests wait for the next plan.", 1);

    public Option<bool> EnforceEager { get; } = new("--enforce-eager") { Description = "Do not capture graphs. The CPU never does." };

    public Option<int?> MaxSeqLenToCapture { get; } = new("--max-seq-len-to-capture") { Description = "Longest sequence that a captured graph covers. No effect on the CPU, which captures none.", HelpName = "TOKENS" };

    public Option<long> Seed { get; } = new("--seed") { Description = "Where the seeds of requests without one are drawn from. Default: 0.", HelpName = "N" };

    public Option<string> Device { get; } = OptionChecks.OneOf("--device", "Device to run on.", "auto", "cpu");

    public Option<int?> CpuThreads { get; } = new Option<int?>("--cpu-threads") { Description = "Threads of the CPU device, of all ranks together. Default: one a processor.", HelpName = "N" }.Between(1);

    public Option<double?> KvCacheGiB { get; } = new Option<double?>("--cpu-kvcache-space") { Description = "GiB for the KV cache on the CPU, of all ranks together, instead of a fraction of its memory.", HelpName = "GIB" }
        .Only(value => value is > 0 and <= 1 << 20, "above 0 and at most 1048576");

    public SpeculationFlags Speculation { get; } = new();

    /// <summary>The option alone, for commands that do not take all.</summary>
    public static Option<string> KvCacheDTypeOption() => OptionChecks.OneOf(
        "--kv-cache-dtype", "Element type of the KV cache; auto is float32 on the CPU, fp8 is fp8_e4m3 and holds four times the tokens.", "auto", "fp8", "fp8_e4m3", "fp8_e5m2");

    /// <summary>What a value of <see cref="KvCacheDType"/> means.</summary>
    public static Compute.DType KvCacheDTypeOf(string value) => value switch
    {
        "auto" => Compute.DType.F32,
        "fp8_e5m2" => Compute.DType.F8E5M2,
        _ => Compute.DType.F8E4M3,
    };

    /// <summary>Adds every option to a command, with the checks that need more than one of them.</summary>
    public void AddTo(Command command)
    {
        BlockSize.Validators.Add(result => RequireOnly(result, 16));
        foreach (var option in (Option[])[Model, Revision, DownloadDir, TensorParallelSize, DistributedTimeout, DType, Quantization, KvCacheDType, MaxModelLen, BlockSize, GpuMemoryUtilization, MaxNumSeqs, MaxNumBatchedTokens, MaxQueue, PrefixCaching.On, PrefixCaching.Off, ChunkedPrefill.On, ChunkedPrefill.Off, NumSchedulerSteps, EnforceEager, MaxSeqLenToCapture, Seed, Device, CpuThreads, KvCacheGiB])
        {
            command.Options.Add(option);
        }

        Speculation.AddTo(command);
        PrefixCaching.AddChecks(command);
        ChunkedPrefill.AddChecks(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(NumSchedulerSteps) > 1 && result.GetResult(Speculation.Model) is not null)
            {
                result.AddError($"--num-scheduler-steps {result.GetValue(NumSchedulerSteps)} does not go with --speculative-model: drafts are guessed anew before each step");
            }
        });
    }

    /// <summary>An option that takes 1 or more.</summary>
    public static Option<int> Positive(string name, string description, int fallback, params string[] aliases) =>
        new Option<int>(name, aliases) { Description = description, DefaultValueFactory = _ => fallback, HelpName = "N" }.Between(1);

    private static void RequireOnly(OptionResult result, int only)
    {
        if (result.Tokens.Count == 1 && result.GetValueOrDefault<int>() is var value && value != only)
        {
            result.AddError($"{result.Option.Name} {value}: this build has {only} only");
        }
    }
}
