using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>A linear layer whose codes stay packed. Usually one set of panels; parts whose inputs are grouped differently (act-order may
/// choose an order for each) cannot share panels and are multiplied one after another, each into its own columns.</summary>
/// <param name="keepsInputs">See <see cref="KeepsInputs"/>.</param>
internal sealed class QuantizedWeight(
    string name, int inFeatures, int outFeatures, ImmutableArray<QuantizedPanels> sections, bool keepsInputs)
    : LinearWeight(name, inFeatures, outFeatures)
{
    /// <summary>Whether inputs of codes that are integers keep their digits, for twice the time.</summary>
    public bool KeepsInputs { get; } = keepsInputs;

    public ImmutableArray<QuantizedPanels> Sections { get; } = sections;

    /// <summary>Kind and bits, as a tuner tells types apart.</summary>
    public string TypeName { get; } =
        $"{(sections[0].Inputs is null ? sections[0].Kind.ToString() : "Integer")}{sections[0].Bits}";

    public override long ResidentBytes { get; } = sections.Sum(section => section.ResidentBytes);
}
