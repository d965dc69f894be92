using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Quantized;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu;

/// <summary>The operations of <see cref="CpuBackend"/>, behind one virtual call each: <see cref="VectorKernels{V, TSimd}"/> implements them for a vector width.
/// Arguments and shapes are those of <see cref="Backend"/>.</summary>
/// <exception cref="ArgumentException">Every operation: a tensor has another shape or dtype than the others ask for.</exception>
internal abstract class CpuKernels : IDisposable
{
    /// <summary>Outputs in a panel of <see cref="PackedWeight"/>.</summary>
    public abstract int PanelWidth { get; }

    /// <exception cref="ArgumentOutOfRangeException">There is no such width.</exception>
    public static CpuKernels Create(VectorWidth width, WorkerThreads threads) => width switch
    {
        VectorWidth.Bits512 => new VectorKernels<Vector512<float>, Simd512>(threads),
        VectorWidth.Bits256 => new VectorKernels<Vector256<float>, Simd256>(threads),
        VectorWidth.Scalar => new VectorKernels<float, SimdScalar>(threads),
        _ => throw new ArgumentOutOfRangeException(nameof(width), width, "supported: Bits512, Bits256, Scalar"),
    };

    public abstract void RmsNorm(Tensor x, Tensor weight, float epsilon, Tensor output);

    public abstract void AddRmsNorm(Tensor residual, Tensor x, Tensor weight, float epsilon, Tensor output);

    public abstract void Add(Tensor residual, Tensor x);

    public abstract void Linear(Tensor x, PackedWeight weight, Tensor output);

    public abstract void Linear(Tensor x, QuantizedWeight weight, Tensor output);

    public abstract void RopeAndCache(Tensor qkv, CpuRopeTable? rope, in AttentionInputs inputs, CpuKvCache cache, int layer);

    public abstract void PagedAttention(
        Tensor qkv, in AttentionInputs inputs, CpuKvCache cache, int layer, AttentionSettings settings, Tensor output);

    public abstract void GatedActivation(Tensor gateUp, Activation activation, Tensor output);

    public abstract void RmsNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon);

    public abstract void LayerNorm(Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output);

    public abstract void AddLayerNorm(Tensor residual, Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output);

    public abstract void Scale(Tensor x, float factor);

    public abstract void SoftCap(Tensor x, float cap);

    public abstract void Activate(Tensor x, Activation activation);

    public abstract void AddEmbedding(Tensor ids, CpuEmbeddingTable table, Tensor output);

    public abstract void SumExperts(Tensor x, Tensor weights, Tensor output);

    public abstract void Dispose();
}
