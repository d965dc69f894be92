namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>The device has failed: whatever was on it is gone, and the process cannot go on with it.</summary>
internal sealed class DeviceLostException(string message) : Exception(message);
