using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>What of a spec decides how much memory a model needs; the worker's defaults where it says nothing. Pure.</summary>
internal sealed record SizingInputs
{
    /// <summary>Requests of full length whose KV cache must fit. Few requests are that long: room for four of 8192 tokens serves dozens of
    /// usual ones.</summary>
    private const int SequencesForThroughput = 4;

    public OptimizeFor OptimizeFor { get; init; } = OptimizeFor.Throughput;

    /// <summary>Null for the model's own limit.</summary>
    public int? MaxModelLen { get; init; }

    public int MaxNumSeqs { get; init; } = WorkerFlags.DefaultMaxNumSeqs;

    public int MaxNumBatchedTokens { get; init; } = WorkerFlags.DefaultMaxNumBatchedTokens;

    /// <summary>True where a step takes the longest sequence whole: without chunked prefill, and without a budget. Otherwise null, which
    /// leaves digests of decisions as they are.</summary>
    public bool? StepHoldsLongest { get; init; }

    public double GpuMemoryUtilization { get; init; } = WorkerFlags.DefaultGpuMemoryUtilization;

    /// <summary>Bytes of a cached key or value; null for those of the weights' type.</summary>
    public int? KvElementBytes { get; init; }

    /// <summary>Requests of full length that have to fit at once; one is enough where it is about the time of one.</summary>
    public int ContextSequences => Math.Min(MaxNumSeqs, OptimizeFor == OptimizeFor.Latency ? 1 : SequencesForThroughput);

    public static SizingInputs Of(ModelDeploymentSpec spec)
    {
        var engine = spec.Engine;
        SizingInputs usual = new();
        return new SizingInputs
        {
            OptimizeFor = spec.OptimizeFor ?? usual.OptimizeFor,
            MaxModelLen = engine.MaxModelLen,
            MaxNumSeqs = engine.MaxNumSeqs ?? usual.MaxNumSeqs,
            MaxNumBatchedTokens = engine.MaxNumBatchedTokens ?? usual.MaxNumBatchedTokens,
            StepHoldsLongest = engine is { EnableChunkedPrefill: false, MaxNumBatchedTokens: null } ? true : null,
            GpuMemoryUtilization = engine.GpuMemoryUtilization ?? usual.GpuMemoryUtilization,
            KvElementBytes = engine.KvCacheDtype switch
            {
                null or WorkerFlags.Auto => null,
                "float32" => 4,
                "float16" or "bfloat16" => 2,
                _ => 1,
            },
        };
    }

    /// <summary>Digest of every field that a decision depends on, the model and the choice of nodes included. The state of nodes is
    /// not in it: that a node comes or goes is no reason to replace pods that serve.</summary>
    public static string HashOf(ModelDeploymentSpec spec)
    {
        var pod = spec.PodTemplate?["spec"];
        JsonObject inputs = new()
        {
            ["source"] = spec.Model.Source,
            ["config"] = spec.Model.Config?.DeepClone(),
            ["draft"] = spec.Engine.Speculative?.Model,
            ["inputs"] = KubernetesJson.ToJsonObject(Of(spec)),
            ["gpu"] = KubernetesJson.ToJsonObject(spec.Gpu),
            ["nodeSelector"] = pod?["nodeSelector"]?.DeepClone(),
            ["affinity"] = pod?["affinity"]?["nodeAffinity"]?.DeepClone(),
            ["tolerations"] = pod?["tolerations"]?.DeepClone(),
        };
        if (spec.Engine.Quantization is { } quantization)
        {
            inputs["quantization"] = quantization;
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(CanonicalJson.Of(inputs))).AsSpan(0, 8));
    }
}
