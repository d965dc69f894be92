namespace Cluster.Worker.Commands.Lines;

/// <summary>Variables of other servers that stand for an option: vLLM's own, and those of TGI's launcher, which reads every option from the
/// environment. Options of the command line count before them. Part of <see cref="WorkerLine"/>.</summary>
internal static class EnvironmentOptions
{
    private const string KvCacheSpace = "VLLM_CPU_KVCACHE_SPACE";

    /// <summary>TGI's <c>HOSTNAME</c> is not among them: every container has one, and it is no address to listen on.</summary>
    private static readonly string[] OfLauncher =
    [
        "MODEL_ID", "REVISION", "SHARDED", "NUM_SHARD", "QUANTIZE", "DTYPE", "KV_CACHE_DTYPE", "MAX_CONCURRENT_REQUESTS",
        "MAX_INPUT_TOKENS", "MAX_INPUT_LENGTH", "MAX_TOTAL_TOKENS", "MAX_BATCH_PREFILL_TOKENS", "MAX_BATCH_TOTAL_TOKENS", "MAX_BATCH_SIZE",
        "PORT", "HUGGINGFACE_HUB_CACHE", "CUDA_MEMORY_FRACTION", "API_KEY", "PAYLOAD_LIMIT", "SPECULATE",
    ];

    /// <summary>Every variable that is read here or for an option.</summary>
    public static IReadOnlyList<string> Used { get; } = [KvCacheSpace, "VLLM_API_KEY", WorkerLogging.VllmLevelVariable];

    /// <param name="typed">How the command was named.</param>
    public static IReadOnlyList<GivenOption> For(
        OptionNames names, IEnumerable<string> typed, IReadOnlyDictionary<string, string> variables)
    {
        var arguments = new List<string>();
        if (names.Own("--cpu-kvcache-space") is not null
            && variables.TryGetValue(KvCacheSpace, out var space) && space.Trim() is not ("" or "0"))
        {
            arguments.Add($"--cpu-kvcache-space={space.Trim()}");
        }

        if (typed.Any(CommandNames.Launchers.Contains))
        {
            arguments.AddRange(
                from name in OfLauncher
                where variables.TryGetValue(name, out var value) && value.Length > 0
                select $"--{name.ToLowerInvariant().Replace('_', '-')}={variables[name]}");
        }

        return ArgumentReader.Read(names, arguments);
    }
}
