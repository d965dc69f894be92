using System.Collections.Immutable;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>A linear layer on the device. Usually one section; parts that cannot be multiplied together are multiplied one after another,
/// each into its own columns.</summary>
internal sealed class IlgpuLinear(string name, int inFeatures, int outFeatures, ImmutableArray<LinearSection> sections)
    : LinearWeight(name, inFeatures, outFeatures)
{
    public ImmutableArray<LinearSection> Sections { get; } = sections;

    /// <summary>As PyTorch calls it, or kind and bits: how a tuner tells types apart.</summary>
    public string TypeName { get; } = sections[0].Format switch
    {
        { Kind: WeightKind.Plain, DType: DType.BF16 } => "BFloat16",
        { Kind: WeightKind.Plain, DType: DType.F16 } => "Half",
        { Kind: WeightKind.Plain } => "float",
        var codes => $"{codes.Kind}{codes.Bits}",
    };

    public override long ResidentBytes { get; } = sections.Sum(section => section.ResidentBytes);
}

/// <summary>Outputs that one launch multiplies. Layouts: see <see cref="Kernels.Linear"/> and <see cref="WeightFormat"/>.</summary>
/// <param name="Pieces">Of 16 bytes, for each output.</param>
/// <param name="Codes"><c>[padded / 16][pieces][16]</c> pieces.</param>
/// <param name="Tables">Scales, zeros and entries; a word where there are none.</param>
/// <param name="Groups"><c>[pieces · elements]</c> I32; a word where there are none.</param>
/// <param name="Bias"><c>[padded]</c> floats.</param>
/// <param name="IsOnWarps">Whether the kernels of <see cref="WarpKernels"/> multiply it, and its codes lie as
/// <see cref="WarpKernels.Arrange"/> leaves them.</param>
internal sealed record LinearSection(
    WeightFormat Format, int FirstOutput, int Outputs, int Pieces, MemoryRange Codes, MemoryRange Tables, MemoryRange Groups,
    MemoryRange Bias, bool IsOnWarps)
{
    /// <summary>Outputs, rounded up to whole waves.</summary>
    public int Padded => PaddedOf(Outputs);

    public long ResidentBytes => Codes.Bytes + Tables.Bytes + Groups.Bytes + Bias.Bytes;

    public static int PaddedOf(int outputs) =>
        checked(outputs + Kernels.Linear.Outputs - 1) / Kernels.Linear.Outputs * Kernels.Linear.Outputs;
}

/// <summary>The same layer of all experts, each array one behind the other.</summary>
/// <param name="sections">As of one expert, over the memory of all.</param>
internal sealed class IlgpuExperts(string name, IReadOnlyList<LinearWeight> experts, ImmutableArray<LinearSection> sections)
    : ExpertWeights(name, experts)
{
    public ImmutableArray<LinearSection> Sections { get; } = sections;
}
