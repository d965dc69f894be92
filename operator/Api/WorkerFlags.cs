namespace Cluster.Operator.Api;

/// <summary>Flags of the worker that the operator sets itself, and the field each is made from. Users may not give them a second time.</summary>
internal static class WorkerFlags
{
    private static readonly Dictionary<string, string> s_fields = new(StringComparer.Ordinal)
    {
        ["model"] = "spec.model.source",
        ["served-model-name"] = "spec.model.servedName",
        ["tensor-parallel-size"] = "spec.tensorParallelSize",
        ["tp"] = "spec.tensorParallelSize",
        ["dtype"] = "spec.engine.dtype",
        ["quantization"] = "spec.engine.quantization",
        ["kv-cache-dtype"] = "spec.engine.kvCacheDtype",
        ["max-model-len"] = "spec.engine.maxModelLen",
        ["max-num-seqs"] = "spec.engine.maxNumSeqs",
        ["max-num-batched-tokens"] = "spec.engine.maxNumBatchedTokens",
        ["enable-prefix-caching"] = "spec.engine.enablePrefixCaching",
        ["enable-chunked-prefill"] = "spec.engine.enableChunkedPrefill",
        ["num-scheduler-steps"] = "spec.engine.numSchedulerSteps",
        ["max-seq-len-to-capture"] = "spec.engine.maxSeqLenToCapture",
        ["gpu-memory-utilization"] = "spec.engine.gpuMemoryUtilization",
        ["speculative-model"] = "spec.engine.speculative.model",
        ["num-speculative-tokens"] = "spec.engine.speculative.numTokens",
        ["shutdown-timeout"] = "spec.drainSeconds",
        ["host"] = "the operator: probes and endpoints depend on it",
        ["port"] = "the operator: probes and endpoints depend on it",
        ["grpc-port"] = "the operator: probes and endpoints depend on it",
    };

    /// <summary>What sets this flag already, or null for a flag (or value) that is the user's.</summary>
    /// <param name="argument">One command-line item: <c>--flag</c>, <c>--flag=value</c>, <c>--no-flag</c>, <c>-tp</c> or a value.</param>
    public static string? FieldOf(string argument)
    {
        if (!argument.StartsWith('-'))
        {
            return null;
        }

        string name = argument.TrimStart('-').Split('=', 2)[0].Replace('_', '-');
        return s_fields.GetValueOrDefault(name.StartsWith("no-", StringComparison.Ordinal) ? name[3..] : name);
    }
}
