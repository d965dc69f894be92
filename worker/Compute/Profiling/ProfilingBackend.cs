using System.Diagnostics;
using Cluster.Worker.Compute.Tuning;

namespace Cluster.Worker.Compute.Profiling;

/// <summary>A backend in front of another, which it owns: passes every operation on, and tells an <see cref="OperationProfile"/> what it
/// had to read, write and compute, how many kernels that took, and how long. This file has what belongs to no step.</summary>
/// <param name="launches">Kernels launched so far; null where an operation is one.</param>
/// <param name="wait">Waits for the device; null where operations are done when they return.</param>
internal sealed partial class ProfilingBackend(Backend inner, OperationProfile profile, Func<long>? launches, Action? wait) : Backend
{
    public override string Name => inner.Name;

    public override string Description => inner.Description;

    public override long AvailableBytes => inner.AvailableBytes;

    public override long KernelsBuilt => inner.KernelsBuilt;

    /// <summary>A graph would hide its operations.</summary>
    public override bool CapturesGraphs => false;

    public override bool KeepsInputs
    {
        get => inner.KeepsInputs;
        set => inner.KeepsInputs = value;
    }

    public override GemmTuning Tuning => inner.Tuning;

    public override IReadOnlyList<string> VariantsOf(LinearWeight weight, int rows) => inner.VariantsOf(weight, rows);

    public override Tensor Allocate(string name, DType dtype, int rows, int columns = 1) => inner.Allocate(name, dtype, rows, columns);

    public override void Release(Tensor tensor) => inner.Release(tensor);

    public override Tensor LoadVector(HostTensor source) => inner.LoadVector(source);

    public override LinearWeight LoadLinear(string name, IReadOnlyList<HostTensor> parts, IReadOnlyList<HostTensor>? biases = null) =>
        inner.LoadLinear(name, parts, biases);

    public override LinearWeight LoadLinear(
        string name, IReadOnlyList<Quantized.QuantizedMatrix> parts, IReadOnlyList<HostTensor>? biases = null) =>
        inner.LoadLinear(name, parts, biases);

    public override ExpertWeights LoadExperts(string name, IReadOnlyList<LinearWeight> experts) => inner.LoadExperts(name, experts);

    public override EmbeddingTable LoadEmbedding(HostTensor source) => inner.LoadEmbedding(source);

    public override (EmbeddingTable Table, LinearWeight Output) LoadTied(string name, HostTensor source, int firstRow, int rows) =>
        inner.LoadTied(name, source, firstRow, rows);

    public override RopeTable LoadRope(RopeFrequencies frequencies) => inner.LoadRope(frequencies);

    public override KvCache AllocateKvCache(KvCacheLayout layout) => inner.AllocateKvCache(layout);

    public override DeviceSampler? CreateSampler(int vocabSize, int maxDraws) =>
        inner.CreateSampler(vocabSize, maxDraws) is { } sampler ? new ProfiledSampler(this, sampler) : null;

    public override void Upload(ReadOnlySpan<int> values, Tensor destination) => inner.Upload(values, destination);

    public override void Download(Tensor source, Span<float> destination) => inner.Download(source, destination);

    public override void DownloadRows(Tensor source, int firstRow, Span<float> destination) =>
        inner.DownloadRows(source, firstRow, destination);

    public override GraphUse BeginGraph(in GraphShape shape) => GraphUse.Compute;

    public override bool EndGraph(in GraphShape shape) => false;

    public override void Dispose() => inner.Dispose();

    private static double BytesOf(Tensor tensor) => (double)tensor.Rows * tensor.Columns * tensor.DType.Size();

    private static double Count(Tensor tensor) => (double)tensor.Rows * tensor.Columns;

    private (long Launches, long Start) Begin() => (launches?.Invoke() ?? 0, Stopwatch.GetTimestamp());

    private void End((long Launches, long Start) begun, string operation, double bytes, double operations)
    {
        wait?.Invoke();
        var seconds = Stopwatch.GetElapsedTime(begun.Start).TotalSeconds;
        profile.Add(
            operation, new OperationTotals(1, launches is null ? 1 : launches() - begun.Launches, bytes, operations, seconds));
    }

    private sealed class ProfiledSampler(ProfilingBackend owner, DeviceSampler sampler) : DeviceSampler
    {
        public override long Bytes => sampler.Bytes;

        public override ReadOnlySpan<Draws.DrawResult> Results => sampler.Results;

        public override void Enqueue(Tensor logits, Draws.DrawBatch draws)
        {
            var begun = owner.Begin();
            sampler.Enqueue(logits, draws);
            owner.End(begun, "sample", BytesOf(logits), Count(logits));
        }

        public override void Wait() => sampler.Wait();
    }
}
