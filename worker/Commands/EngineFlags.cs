using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Cluster.Worker.Commands.Lines;
using Cluster.Worker.Compute;
using Cluster.Worker.Engine;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary>The engine options every command shares, with vLLM's names. An option this build cannot honour is refused, never
/// ignored.</summary>
internal sealed class EngineFlags
{
    /// <summary>More than this would make answers of megabytes.</summary>
    private const int MostLogprobs = 1000;

    private Argument<string?>? _model;

    public Option<string?> Model { get; } = WorkerFlags.Model.OptionalText();

    public Option<string?> Config { get; } = new(LineBuilder.Config)
    {
        Description = "YAML file with options, as in vLLM: keys are options without their dashes. The command line counts before it.",
        HelpName = "FILE"
    };

    public Option<string?> Revision { get; } = new("--revision")
    {
        Description = "Branch, tag or commit of a model on the hub. Default: main.",
        HelpName = "REVISION"
    };

    public Option<string?> DownloadDir { get; } = new("--download-dir")
    {
        Description = "Folder to download models to. Default: the cache that HF_HUB_CACHE or HF_HOME names.",
        HelpName = "DIR"
    };

    public Option<int> TensorParallelSize { get; } = WorkerFlags.TensorParallelSize.Integer();

    public Option<double> DistributedTimeout { get; } = new Option<double>("--distributed-timeout")
    {
        Description = "Seconds without an answer from another rank after which it counts as lost and the worker exits.",
        DefaultValueFactory = _ => 30,
        HelpName = "SECONDS"
    }
        .Only(value => value is >= 1 and <= 86400, "1 to 86400 seconds");

    public Option<string> DType { get; } = WorkerFlags.DType.Words();

    public Option<string> Quantization { get; } = WorkerFlags.Quantization.Words();

    public Option<string> KvCacheDType { get; } = KvCacheDTypeOption();

    public Option<int?> MaxModelLen { get; } = WorkerFlags.MaxModelLen.OptionalTokens();

    public Option<int> BlockSize { get; } = new("--block-size")
    {
        Description = "Token slots of a KV block.",
        DefaultValueFactory = _ => 16,
        HelpName = "TOKENS"
    };

    public Option<double> GpuMemoryUtilization { get; } = WorkerFlags.GpuMemoryUtilization.Number();

    public Option<int> MaxNumSeqs { get; } = WorkerFlags.MaxNumSeqs.Integer();

    public Option<int> MaxNumBatchedTokens { get; } = WorkerFlags.MaxNumBatchedTokens.Tokens();

    public Option<int> MaxQueue { get; } = new Option<int>("--max-queue")
    {
        Description = "Maximum number of waiting requests; further requests are refused (429, RESOURCE_EXHAUSTED).",
        DefaultValueFactory = _ => new EngineOptions().MaxQueue,
        HelpName = "N"
    }.Between(0);

    public Option<int?> MaxConcurrentRequests { get; } = new Option<int?>("--max-concurrent-requests")
    {
        Description = "Maximum number of requests that run or wait, in place of --max-queue; further requests are refused.",
        HelpName = "N"
    }.Between(1);

    public Option<int?> MaxInputTokens { get; } = new Option<int?>("--max-input-tokens")
    {
        Description = "Maximum length of a prompt. Default: the maximum length of a sequence, less one token of output.",
        HelpName = "TOKENS"
    }.Between(1);

    public Option<int> MaxLogprobs { get; } = new Option<int>("--max-logprobs")
    {
        Description = "Maximum number of log-probabilities per token that a request may ask for.",
        DefaultValueFactory = _ => new EngineOptions().MaxLogprobs,
        HelpName = "N"
    }.Between(0, MostLogprobs);

    public Option<int?> NumGpuBlocksOverride { get; } = new Option<int?>("--num-gpu-blocks-override")
    {
        Description = "Number of KV blocks, instead of as many as the memory holds.",
        HelpName = "N"
    }.Between(1);

    public SwitchFlag PrefixCaching { get; } = new(WorkerFlags.EnablePrefixCaching);

    public SwitchFlag ChunkedPrefill { get; } = new(WorkerFlags.EnableChunkedPrefill);

    public Option<int> NumSchedulerSteps { get; } = WorkerFlags.NumSchedulerSteps.Integer();

    public Option<string> SchedulingPolicy { get; } = WorkerFlags.SchedulingPolicy.Words();

    public Option<string> GenerationConfig { get; } = WorkerFlags.GenerationConfig.Text();

    public Option<string?> OverrideGenerationConfig { get; } = WorkerFlags.OverrideGenerationConfig.OptionalText();

    public Option<bool> EnforceEager { get; } = new("--enforce-eager")
    {
        Description = "Do not capture decode steps as graphs. Devices hip and cuda do, unless told so."
    };

    public Option<int?> MaxSeqLenToCapture { get; } = WorkerFlags.MaxSeqLenToCapture.OptionalInteger();

    public Option<long> Seed { get; } = new("--seed")
    {
        Description = "Random seed for requests that do not set their own. Default: 0.",
        HelpName = "N"
    };

    public Option<string> Device { get; } = DeviceOption();

    public Option<int?> CpuThreads { get; } = new Option<int?>("--cpu-threads")
    {
        Description = "Number of CPU threads, for all ranks together. Default: one per processor.",
        HelpName = "N"
    }.Between(1);

    public Option<double?> KvCacheGiB { get; } = new Option<double?>("--cpu-kvcache-space")
    {
        Description = "Size of the KV cache on the CPU in GiB, for all ranks together, instead of a fraction of its memory.",
        HelpName = "GIB"
    }
        .Only(value => value is > 0 and <= 1 << 20, "above 0 and at most 1048576");

    public SpeculationFlags Speculation { get; } = new();

    /// <summary>The model that a command line names.</summary>
    public string ModelOf(ParseResult arguments) =>
        arguments.GetValue(Model) ?? (_model is null ? null : arguments.GetValue(_model))
        ?? throw new InvalidOperationException("the command line names no model");

    /// <summary>The option alone, for commands that do not take all.</summary>
    public static Option<string> KvCacheDTypeOption() => WorkerFlags.KvCacheDType.Words();

    /// <summary>The option alone, as above.</summary>
    public static Option<string> DeviceOption() => OptionChecks.OneOf(
        "--device",
        "Device to run on; auto takes the first that has a GPU of hip (AMD), cuda (NVIDIA) and opencl, else the CPU.",
        [.. BackendFactory.Devices]);

    /// <summary>What a value of <see cref="DType"/> means; null for <c>auto</c>.</summary>
    public static DType? DTypeOf(string value) => value switch
    {
        "half" => Compute.DType.F16,
        "float" => Compute.DType.F32,
        _ => DTypes.OfName(value),
    };

    /// <summary>What a value of <see cref="KvCacheDType"/> means; null for <c>auto</c>.</summary>
    public static DType? KvCacheDTypeOf(string value) => value switch
    {
        "fp8" or "fp8_e4m3" => Compute.DType.F8E4M3,
        "fp8_e5m2" => Compute.DType.F8E5M2,
        _ => DTypes.OfName(value),
    };

    /// <summary>Adds every option to a command, with the checks that need more than one of them.</summary>
    /// <param name="isModelPositional">Whether the model may stand without <c>--model</c>, as it does behind <c>vllm serve</c>.</param>
    public void AddTo(Command command, bool isModelPositional = false)
    {
        if (isModelPositional)
        {
            _model = PositionalModel();
            command.Arguments.Add(_model);
        }

        BlockSize.Validators.Add(result => RequireOnly(result, 16));
        foreach (var option in (Option[])[
            Model, Config, Revision, DownloadDir, TensorParallelSize, DistributedTimeout, DType, Quantization, KvCacheDType, MaxModelLen,
            BlockSize, GpuMemoryUtilization, MaxNumSeqs, MaxNumBatchedTokens, MaxQueue, MaxConcurrentRequests, MaxInputTokens, MaxLogprobs,
            NumGpuBlocksOverride, PrefixCaching.On, PrefixCaching.Off, ChunkedPrefill.On, ChunkedPrefill.Off, NumSchedulerSteps,
            SchedulingPolicy, GenerationConfig, OverrideGenerationConfig, EnforceEager, MaxSeqLenToCapture, Seed, Device, CpuThreads,
            KvCacheGiB])
        {
            command.Options.Add(option);
        }

        Speculation.AddTo(command);
        PrefixCaching.AddChecks(command);
        ChunkedPrefill.AddChecks(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(Model) is null && (_model is null || result.GetResult(_model) is not { Tokens.Count: > 0 }))
            {
                result.AddError(
                    _model is null ? "Option '--model' is required." : "A model is required: 'serve MODEL' or 'serve --model MODEL'.");
            }

            if (result.GetResult(MaxConcurrentRequests) is not null && result.GetResult(MaxQueue) is { Implicit: false })
            {
                result.AddError("--max-concurrent-requests and --max-queue cannot be used together");
            }

            if (result.GetValue(NumSchedulerSteps) > 1 && result.GetResult(Speculation.Model) is not null)
            {
                result.AddError(
                    $"--num-scheduler-steps {result.GetValue(NumSchedulerSteps)} cannot be combined with --speculative-model: tokens "
                    + $"are drafted before every step");
            }

            // Said both, they must agree, as in vLLM; of a budget alone the sequences follow.
            if (result.GetResult(MaxNumSeqs) is { Implicit: false, Tokens: [{ Value: var sequences }] }
                && result.GetResult(MaxNumBatchedTokens) is { Implicit: false, Tokens: [{ Value: var tokens }] }
                && int.TryParse(sequences, CultureInfo.InvariantCulture, out _) && int.TryParse(tokens, CultureInfo.InvariantCulture, out _)
                && result.GetValue(MaxNumBatchedTokens) < result.GetValue(MaxNumSeqs))
            {
                result.AddError(
                    $"--max-num-batched-tokens {result.GetValue(MaxNumBatchedTokens)} is less than --max-num-seqs "
                    + $"{result.GetValue(MaxNumSeqs)}: every running sequence needs one token per step");
            }
        });
    }

    /// <summary>An option that takes 1 or more.</summary>
    public static Option<int> Positive(string name, string description, int fallback, params string[] aliases) =>
        new Option<int>(name, aliases) { Description = description, DefaultValueFactory = _ => fallback, HelpName = "N" }.Between(1);

    private static Argument<string?> PositionalModel()
    {
        var argument = new Argument<string?>("MODEL")
        {
            Description = "The same as --model.",
            Arity = ArgumentArity.ZeroOrOne,
        };

        // The parser takes an option that it does not know for a word.
        argument.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value.StartsWith('-'))
            {
                result.AddError($"Unrecognized command or argument '{token.Value}'.");
            }
        });
        return argument;
    }

    private static void RequireOnly(OptionResult result, int only)
    {
        if (result.Tokens.Count == 1 && result.GetValueOrDefault<int>() is var value && value != only)
        {
            result.AddError($"{result.Option.Name} {value}: this build has {only} only");
        }
    }
}
