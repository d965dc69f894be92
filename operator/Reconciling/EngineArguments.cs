using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>The worker's command line for a spec. Every field of <see cref="EngineSpec"/> has its flag here; a test walks the
/// properties to see that none is forgotten.</summary>
internal static class EngineArguments
{
    /// <summary>Ports of the container and of both services.</summary>
    public const int HttpPort = 8000;

    public const int GrpcPort = 50051;

    /// <param name="model">What <c>--model</c> is told.</param>
    /// <param name="draft">What <c>--speculative-model</c> is told; null without speculation.</param>
    public static JsonArray For(ModelDeployment deployment, string model, string? draft)
    {
        ModelDeploymentSpec spec = deployment.Spec;
        EngineSpec engine = spec.Engine;
        JsonArray arguments = ["serve"];
        AddText("--model", model);
        AddText("--host", "0.0.0.0");
        Add("--port", HttpPort);
        Add("--grpc-port", GrpcPort);
        AddText("--served-model-name", spec.Model.ServedName ?? deployment.Metadata.Name);
        Add("--tensor-parallel-size", spec.TensorParallelSize.Degree);
        Add("--shutdown-timeout", spec.DrainSeconds);
        AddText("--dtype", engine.Dtype);
        AddText("--quantization", engine.Quantization);
        AddText("--kv-cache-dtype", engine.KvCacheDtype);
        Add("--max-model-len", engine.MaxModelLen);
        Add("--max-num-seqs", engine.MaxNumSeqs);
        Add("--max-num-batched-tokens", engine.MaxNumBatchedTokens);
        AddSwitch("--enable-prefix-caching", engine.EnablePrefixCaching);
        AddSwitch("--enable-chunked-prefill", engine.EnableChunkedPrefill);
        Add("--num-scheduler-steps", engine.NumSchedulerSteps);
        Add("--max-seq-len-to-capture", engine.MaxSeqLenToCapture);
        Add("--gpu-memory-utilization", engine.GpuMemoryUtilization);
        if (draft is not null)
        {
            AddText("--speculative-model", draft);
            Add("--num-speculative-tokens", engine.Speculative!.NumTokens);
        }

        foreach (string extra in engine.ExtraArgs ?? [])
        {
            arguments.Add(extra);
        }

        return arguments;

        void Add(string flag, IFormattable? value) => AddText(flag, value?.ToString(null, CultureInfo.InvariantCulture));

        void AddText(string flag, string? value)
        {
            if (value is not null)
            {
                arguments.Add(flag);
                arguments.Add(value);
            }
        }

        // One argument: "--flag false" in two would be read as the flag and a stray word by some parsers.
        void AddSwitch(string flag, bool? value)
        {
            if (value is { } on)
            {
                arguments.Add(on ? $"{flag}=true" : $"{flag}=false");
            }
        }
    }
}
