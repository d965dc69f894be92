namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Which kernel decodes <see cref="QuantizedPanels"/>.</summary>
internal enum QuantizedKind
{
    Fp8,
    Grouped,
    Lookup,
}
