namespace Cluster.Common;

/// <summary>The one table of the options that a ModelDeployment sets on its workers. The CRD's schema and the validator, the arguments of
/// worker pods, and the worker's own command line are made from it, so that a value that the API accepts is one that the worker accepts.
/// Names and meanings are vLLM's.</summary>
internal static class WorkerFlags
{
    public const int MaxTensorParallelSize = 64;
    public const int MaxSpeculativeTokens = 32;
    public const int MaxShutdownTimeoutSeconds = 86400;
    public const int DefaultMaxNumSeqs = 256;
    public const int DefaultMaxNumBatchedTokens = 2048;
    public const double DefaultGpuMemoryUtilization = 0.9;

    /// <summary>Ports of the worker, its container and its Services.</summary>
    public const int DefaultHttpPort = 8000;
    public const int DefaultGrpcPort = 50051;

    /// <summary>What the words for the model's own choice and for no quantization are.</summary>
    public const string Auto = "auto";
    public const string None = "none";

    /// <summary>What stands for a draft model where tokens are looked up in the text so far.</summary>
    public const string Ngram = "[ngram]";

    /// <summary>Two dashes and a letter.</summary>
    private const int ShortestBeginning = 3;

    private const string Operator = "the operator: probes and endpoints depend on it";

    public static WorkerFlag Model { get; } = new(
        "--model", FlagValue.Text, "spec.model.source",
        "Folder of a Hugging Face checkpoint, hf://org/name@revision or org/name (downloaded from the hub), or synthetic:NAME "
        + "(random weights in true shapes, for benchmarks; an unknown NAME lists those there are).")
    { ValueName = "MODEL", OtherNames = ["--model-id"] };

    public static WorkerFlag ServedModelName { get; } = new(
        "--served-model-name", FlagValue.Text, "spec.model.servedName",
        "Names that the API answers to; responses carry the first. Default: the name of the model's folder, or org/name of the hub.")
    { ValueName = "NAME" };

    public static WorkerFlag TensorParallelSize { get; } = new(
        "--tensor-parallel-size", FlagValue.Integer, "spec.tensorParallelSize",
        "GPUs that the model is split over, with one process per GPU. On the CPU, the processes share its threads and memory.")
    { Alias = "-tp", OtherNames = ["--num-shard", "--sharded"], Minimum = 1, Maximum = MaxTensorParallelSize, Default = 1 };

    public static WorkerFlag DType { get; } = new(
        "--dtype", FlagValue.Word, "spec.engine.dtype",
        "Type that was asked for. Every device keeps weights as they are stored and computes in float32, which is at least what any of "
        + "these types gives; a 16-bit type lets matrix cores round what they multiply 16-bit weights by. The start log says what it comes "
        + "to. half is float16, float is float32.")
    { Words = [Auto, "half", "float16", "bfloat16", "float", "float32"] };

    public static WorkerFlag Quantization { get; } = new(
        "--quantization", FlagValue.Word, "spec.engine.quantization",
        "How the weights are quantized; auto reads it from the checkpoint. fp8 and int8 round the weights of a checkpoint that is not "
        + "quantized while they are loaded, which halves their memory. Any other value must agree with the checkpoint.")
    { OtherNames = ["-q", "--quantize"], Words = [Auto, None, .. QuantizationMethods.All.Union(QuantizationMethods.AtLoad)] };

    public static WorkerFlag KvCacheDType { get; } = new(
        "--kv-cache-dtype", FlagValue.Word, "spec.engine.kvCacheDtype",
        "Type of the KV cache; auto is the checkpoint's type. A 16-bit type holds twice the tokens of float32; fp8 is fp8_e4m3 and holds "
        + "twice the tokens of a 16-bit type.")
    { Words = [Auto, "float32", "float16", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2"] };

    public static WorkerFlag MaxModelLen { get; } = new(
        "--max-model-len", FlagValue.Integer, "spec.engine.maxModelLen",
        "Maximum length of a sequence, prompt and output together. Default: the length the model was trained for.")
    { ValueName = "TOKENS", OtherNames = ["--max-total-tokens"], Minimum = 1 };

    public static WorkerFlag MaxNumSeqs { get; } = new(
        "--max-num-seqs", FlagValue.Integer, "spec.engine.maxNumSeqs", "Maximum number of sequences per step.")
    { OtherNames = ["--max-batch-size"], Minimum = 1, Maximum = 65536, Default = DefaultMaxNumSeqs };

    public static WorkerFlag MaxNumBatchedTokens { get; } = new(
        "--max-num-batched-tokens", FlagValue.Integer, "spec.engine.maxNumBatchedTokens",
        "Maximum number of tokens per step: the budget that prefill and decode share.")
    { OtherNames = ["--max-batch-prefill-tokens"], Minimum = 1, Default = DefaultMaxNumBatchedTokens };

    public static WorkerFlag EnablePrefixCaching { get; } = new(
        "--enable-prefix-caching", FlagValue.Switch, "spec.engine.enablePrefixCaching", "Reuse the KV cache of prompts that begin alike.")
    { Default = true };

    public static WorkerFlag EnableChunkedPrefill { get; } = new(
        "--enable-chunked-prefill", FlagValue.Switch, "spec.engine.enableChunkedPrefill",
        "Split long prompts over several steps, so that they do not delay running requests.")
    { Default = true };

    public static WorkerFlag NumSchedulerSteps { get; } = new(
        "--num-scheduler-steps", FlagValue.Integer, "spec.engine.numSchedulerSteps",
        "Number of decode steps per scheduler call; new requests wait for the next call.")
    { Minimum = 1, Maximum = 64, Default = 1 };

    public static WorkerFlag SchedulingPolicy { get; } = new(
        "--scheduling-policy", FlagValue.Word, "spec.engine.schedulingPolicy",
        "Whose turn it is: fcfs takes requests in the order they come; priority takes those with the lowest priority field first, and the "
        + "last in that order give up their blocks when memory is short.")
    { Words = ["fcfs", "priority"] };

    public static WorkerFlag GenerationConfig { get; } = new(
        "--generation-config", FlagValue.Text, "spec.engine.generationConfig",
        "Where temperature, top_k, top_p, min_p, repetition_penalty and max_new_tokens come from when a request sets none: auto reads the "
        + "model's generation_config.json, none (or vllm) uses the API's defaults, and a folder's file also bounds max_new_tokens.")
    { ValueName = "auto|none|DIR", Default = Auto };

    public static WorkerFlag OverrideGenerationConfig { get; } = new(
        "--override-generation-config", FlagValue.Text, "spec.engine.overrideGenerationConfig",
        "JSON object with fields that stand above those of --generation-config; its max_new_tokens bounds every request.")
    { ValueName = "JSON" };

    public static WorkerFlag MaxSeqLenToCapture { get; } = new(
        "--max-seq-len-to-capture", FlagValue.Integer, "spec.engine.maxSeqLenToCapture",
        "Maximum sequence length that graphs are captured for: decode steps with longer sequences are launched kernel by kernel. "
        + "Default: 8192. No effect on devices that capture none (all but hip and cuda); the start log says so.")
    { ValueName = "TOKENS", Minimum = 1 };

    public static WorkerFlag GpuMemoryUtilization { get; } = new(
        "--gpu-memory-utilization", FlagValue.Number, "spec.engine.gpuMemoryUtilization",
        "Fraction of the device's memory for weights and KV cache.")
    { ValueName = "FRACTION", OtherNames = ["--cuda-memory-fraction"], Minimum = 0.01, Maximum = 1, Default = DefaultGpuMemoryUtilization };

    public static WorkerFlag SpeculativeModel { get; } = new(
        "--speculative-model", FlagValue.Text, "spec.engine.speculative.model",
        "Draft model for speculative decoding: a smaller model with the same vocabulary (named as for --model), or " + Ngram
        + " to look tokens up in the text so far. Outputs stay the same; only their speed changes.")
    { ValueName = "MODEL", OtherNames = ["--speculative-config", "-sc", "--speculate"] };

    public static WorkerFlag NumSpeculativeTokens { get; } = new(
        "--num-speculative-tokens", FlagValue.Integer, "spec.engine.speculative.numTokens", "Number of tokens to draft per step.")
    { Minimum = 1, Maximum = MaxSpeculativeTokens };

    public static WorkerFlag ShutdownTimeout { get; } = new(
        "--shutdown-timeout", FlagValue.Number, "spec.drainSeconds", "Seconds that running requests get to finish after SIGTERM.")
    { ValueName = "SECONDS", Minimum = 0, Maximum = MaxShutdownTimeoutSeconds, Default = 30.0 };

    public static WorkerFlag Host { get; } = new(
        "--host", FlagValue.Text, Operator,
        "Address to listen on: localhost, an IP address, or 0.0.0.0 (:: with IPv6) for every interface.")
    { ValueName = "ADDRESS", OtherNames = ["--hostname"], Default = "127.0.0.1" };

    public static WorkerFlag Port { get; } = new("--port", FlagValue.Integer, Operator, "Port of the HTTP API; 0 takes a free one.")
    { ValueName = "PORT", OtherNames = ["-p"], Minimum = 0, Maximum = ushort.MaxValue, Default = DefaultHttpPort };

    public static WorkerFlag GrpcPort { get; } = new(
        "--grpc-port", FlagValue.Integer, Operator,
        "Port of the gRPC services; 0 takes a free one. Default: follows --port, 50051 for 8000, 50052 for 8001 and so on.")
    { ValueName = "PORT", Minimum = 0, Maximum = ushort.MaxValue };

    public static IReadOnlyList<WorkerFlag> All { get; } =
    [
        Model, ServedModelName, TensorParallelSize, DType, Quantization, KvCacheDType, MaxModelLen, MaxNumSeqs, MaxNumBatchedTokens,
        EnablePrefixCaching, EnableChunkedPrefill, NumSchedulerSteps, SchedulingPolicy, GenerationConfig,
        OverrideGenerationConfig, MaxSeqLenToCapture, GpuMemoryUtilization, SpeculativeModel, NumSpeculativeTokens, ShutdownTimeout, Host,
        Port, GrpcPort,
    ];

    /// <exception cref="ArgumentException">There is no such flag in the table.</exception>
    public static WorkerFlag Of(string name) =>
        All.FirstOrDefault(flag => flag.Name == name) ?? throw new ArgumentException($"the table has no flag '{name}'");

    /// <summary>The flag that a command-line item gives, or null for one that is not in the table, and for a value. The worker takes the
    /// beginning of a name for the whole, so it does here.</summary>
    /// <param name="argument"><c>--flag</c>, <c>--flag=value</c>, <c>--no-flag</c>, <c>-tp</c>, another server's name, or a value.</param>
    public static WorkerFlag? GivenBy(string argument)
    {
        if (!argument.StartsWith('-'))
        {
            return null;
        }

        var name = argument.Split('=', 2)[0];
        if (!name.StartsWith("--", StringComparison.Ordinal))
        {
            return All.FirstOrDefault(flag => flag.Alias == name || flag.OtherNames.Contains(name));
        }

        name = name.Replace('_', '-');
        name = name.StartsWith("--no-", StringComparison.Ordinal) ? $"--{name[5..]}" : name;
        return All.FirstOrDefault(flag => flag.OtherNames.Prepend(flag.Name).Contains(name))
            ?? (name.Length < ShortestBeginning ? null : All.FirstOrDefault(
                flag => flag.OtherNames.Prepend(flag.Name).Any(spelling => spelling.StartsWith(name, StringComparison.Ordinal))));
    }
}
