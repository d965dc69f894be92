using Cluster.Worker.Compute.Cpu.Memory;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>A linear layer's weights as <see cref="GemmJob{V, TSimd, TFormat}"/> streams them: panels of as many outputs as two vectors
/// have lanes, each panel walked once from front to back. Made by <see cref="PanelPacker"/>.</summary>
/// <remarks>
/// Panels of width 4 (real ones are 32 or 16 wide), k in pairs so that one vector load brings both k of a BF16 or F16 pair:
/// <code>
///                 ┌ 32-bit word: k0 in the low half, k1 in the high half
/// panel 0, 16-bit │n0│n1│n2│n3│ k2,k3: │n0│n1│n2│n3│ … up to K rounded up to even
/// panel 0, F32    │k0: n0│n1│n2│n3│k1: n0│n1│n2│n3│ k2: …
/// panel 1         │n4│n5│n6│n7│ …          outputs and k beyond the end are zero
/// bias            │n0│n1│n2│n3│n4│ …       F32, zero where the layer has none
/// </code>
/// </remarks>
internal sealed unsafe class PackedWeight(
    string name, int inFeatures, int outFeatures, DType format, int panelWidth, NativeMemoryBlock panels, NativeMemoryBlock bias)
    : LinearWeight(name, inFeatures, outFeatures)
{
    /// <summary>BF16, F16 or F32.</summary>
    public DType Format { get; } = format;

    /// <summary>Outputs of a panel.</summary>
    public int PanelWidth { get; } = panelWidth;

    public int PanelCount { get; } = PanelsOf(outFeatures, panelWidth);

    public int Pairs { get; } = PairsOf(inFeatures);

    public long PanelBytes { get; } = PanelBytesOf(inFeatures, format, panelWidth);

    public byte* Panels => panels.Address;

    public float* Bias => (float*)bias.Address;

    public override long ResidentBytes => panels.Bytes + bias.Bytes;

    public static int PanelsOf(int outFeatures, int panelWidth) => (outFeatures + panelWidth - 1) / panelWidth;

    public static int PairsOf(int inFeatures) => (inFeatures + 1) / 2;

    public static long PanelBytesOf(int inFeatures, DType format, int panelWidth) => 2L * PairsOf(inFeatures) * panelWidth * format.Size();
}
