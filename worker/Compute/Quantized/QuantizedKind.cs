namespace Cluster.Worker.Compute.Quantized;

/// <summary>How codes become weights, and so which kernel decodes them.</summary>
internal enum QuantizedKind
{
    Fp8,
    BlockFp8,
    Grouped,
    Lookup,
    Mxfp4,
    Superblock,
}
