using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>How an <see cref="IlgpuBackend"/> uses its device.</summary>
internal sealed record IlgpuOptions
{
    /// <summary>Bytes that weights, cache and activations may take; null for all the device has.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Whether matrix cores take inputs of 16-bit weights rounded to the weights' type, as engines do that keep activations in it:
    /// three times as fast as exact inputs of bf16 weights, eight times as fast as fp32. <see cref="Kernels.WarpAttention"/> then rounds
    /// queries and the softmax' weights.</summary>
    public bool RoundsActivations { get; init; }

    /// <summary>This rank's end of a tensor-parallel group; null when one device holds the whole model. Messages go through the host unless
    /// there are <see cref="Devices"/>. Not disposed of.</summary>
    public Communicator? Communicator { get; init; }

    /// <summary>The same group from device to device, on the launcher's stream; null where there is no library for it. Disposed of with the
    /// backend.</summary>
    public DeviceCommunicator? Devices { get; init; }
}
