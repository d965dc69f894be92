using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
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

    public Option<int> TensorParallelSize { get; } = Positive("--tensor-parallel-size", "GPUs this worker spreads the model over, with a process for each; on the CPU, processes that share its threads and memory.", 1, "-tp");

    public Option<double> DistributedTimeout { get; } = new("--distributed-timeout") { Description = "Silence of one of those processes after which it is taken for lost and the worker ends.", DefaultValueFactory = _ => 30, HelpName = "SECONDS" };

    public Option<string> DType { get; } = OneOf("--dtype", "Arithmetic of activations. The CPU computes in float32 and keeps weights as stored.", "auto", "float32");

    public Option<string> Quantization { get; } = OneOf("--quantization", "How weights are quantized; auto reads it from the checkpoint, anything else must agree with it.", "auto", "none", "fp8", "gptq", "awq", "squeezellm", "compressed-tensors");

    public Option<string> KvCacheDType { get; } = KvCacheDTypeOption();

    public Option<int?> MaxModelLen { get; } = new("--max-model-len") { Description = "Longest sequence, prompt and output together. Default: what the model was trained for.", HelpName = "TOKENS" };

    public Option<int> BlockSize { get; } = new("--block-size") { Description = "Token slots of a KV block.", DefaultValueFactory = _ => 16, HelpName = "TOKENS" };

    public Option<double> GpuMemoryUtilization { get; } = new("--gpu-memory-utilization") { Description = "Fraction of the device's memory for weights and KV cache.", DefaultValueFactory = _ => 0.9, HelpName = "FRACTION" };

    public Option<int> MaxNumSeqs { get; } = Positive("--max-num-seqs", "Most sequences in a step.", 256);

    public Option<int> MaxNumBatchedTokens { get; } = Positive("--max-num-batched-tokens", "Most tokens in a step: the budget that prefill and decode share.", 2048);

    public Option<int> MaxQueue { get; } = new("--max-queue") { Description = "Requests that may wait beyond those that run; one more is refused (429, RESOURCE_EXHAUSTED).", DefaultValueFactory = _ => new EngineOptions().MaxQueue, HelpName = "N" };

    public Option<bool> EnablePrefixCaching { get; } = new("--enable-prefix-caching") { Description = "Keep finished blocks for prompts that begin alike.", DefaultValueFactory = _ => true };

    public Option<bool> EnableChunkedPrefill { get; } = new("--enable-chunked-prefill") { Description = "Split long prompts over steps, so that running requests are not held up.", DefaultValueFactory = _ => true };

    public Option<int> NumSchedulerSteps { get; } = Positive("--num-scheduler-steps", "Decode steps a plan covers; new requests wait for the next plan.", 1);

    public Option<bool> EnforceEager { get; } = new("--enforce-eager") { Description = "Do not capture graphs. The CPU never does." };

    public Option<int?> MaxSeqLenToCapture { get; } = new("--max-seq-len-to-capture") { Description = "Longest sequence that a captured graph covers. No effect on the CPU, which captures none.", HelpName = "TOKENS" };

    public Option<long> Seed { get; } = new("--seed") { Description = "Where the seeds of requests without one are drawn from.", HelpName = "N" };

    public Option<string> Device { get; } = OneOf("--device", "Device to run on.", "auto", "cpu");

    public Option<int?> CpuThreads { get; } = new("--cpu-threads") { Description = "Threads of the CPU device, of all ranks together. Default: one a processor.", HelpName = "N" };

    public Option<double?> KvCacheGiB { get; } = new("--cpu-kvcache-space") { Description = "GiB for the KV cache on the CPU, of all ranks together, instead of a fraction of its memory.", HelpName = "GIB" };

    public SpeculationFlags Speculation { get; } = new();

    /// <summary>The option alone, for commands that do not take all.</summary>
    public static Option<string> KvCacheDTypeOption() => OneOf(
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
        TensorParallelSize.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value > MaxTensorParallelSize)
            {
                result.AddError($"--tensor-parallel-size {value}: must be 1 to {MaxTensorParallelSize}");
            }
        });
        DistributedTimeout.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && !(value is >= 1 and <= 86400))
            {
                result.AddError($"--distributed-timeout {result.Tokens[0].Value}: must be 1 to 86400 seconds");
            }
        });
        KvCacheGiB.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is { } value && !(value is > 0 and <= 1 << 20))
            {
                result.AddError($"--cpu-kvcache-space {value.ToString(CultureInfo.InvariantCulture)}: must be above 0");
            }
        });
        MaxQueue.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value < 0)
            {
                result.AddError($"--max-queue {value}: must be at least 0");
            }
        });
        GpuMemoryUtilization.Validators.Add(result =>
        {
            var value = result.GetValueOrDefault<double>();
            if (!(value is > 0 and <= 1))
            {
                result.AddError($"--gpu-memory-utilization {value.ToString(CultureInfo.InvariantCulture)}: must be above 0 and at most 1");
            }
        });
        foreach (var option in (Option[])[Model, Revision, DownloadDir, TensorParallelSize, DistributedTimeout, DType, Quantization, KvCacheDType, MaxModelLen, BlockSize, GpuMemoryUtilization, MaxNumSeqs, MaxNumBatchedTokens, MaxQueue, EnablePrefixCaching, EnableChunkedPrefill, NumSchedulerSteps, EnforceEager, MaxSeqLenToCapture, Seed, Device, CpuThreads, KvCacheGiB])
        {
            command.Options.Add(option);
        }

        Speculation.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(NumSchedulerSteps) > 1 && result.GetResult(Speculation.Model) is not null)
            {
                result.AddError($"--num-scheduler-steps {result.GetValue(NumSchedulerSteps)} does not go with --speculative-model: drafts are guessed anew before each step");
            }
        });
    }

    /// <summary>An option that takes 1 or more.</summary>
    public static Option<int> Positive(string name, string description, int fallback, params string[] aliases)
    {
        var option = new Option<int>(name, aliases) { Description = description, DefaultValueFactory = _ => fallback, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value < 1)
            {
                result.AddError($"{name} {value}: must be at least 1");
            }
        });
        return option;
    }

    private static Option<string> OneOf(string name, string description, params string[] values)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => values[0] };
        option.AcceptOnlyFromAmong(values);
        return option;
    }

    private static void RequireOnly(OptionResult result, int only)
    {
        if (result.Tokens.Count == 1 && result.GetValueOrDefault<int>() is var value && value != only)
        {
            result.AddError($"{result.Option.Name} {value}: this build has {only} only");
        }
    }
}
