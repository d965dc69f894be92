namespace Cluster.Worker.Compute.Ilgpu.Compile;

/// <summary>A kernel cannot be built. The message names it and ends with the compiler's own words.</summary>
internal sealed class KernelBuildException(string message, Exception? inner = null) : Exception(message, inner);
