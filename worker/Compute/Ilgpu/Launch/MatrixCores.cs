namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>Matrix instructions of a device.</summary>
internal enum MatrixCores
{
    None,

    /// <summary>Of waves of 64 lanes, on AMD's CDNA: <see cref="Intrinsics.MatrixCore"/>.</summary>
    Mfma,

    /// <summary>Of warps of 32 lanes, on NVIDIA's GPUs from sm_80 on: <see cref="Intrinsics.WarpMatrix"/>.</summary>
    Mma,
}
