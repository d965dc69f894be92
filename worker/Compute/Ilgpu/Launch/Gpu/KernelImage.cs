namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>A kernel as a driver takes it.</summary>
/// <param name="Bytes">A code object, or PTX that ends with a zero.</param>
/// <param name="Entry">Name of the function in it.</param>
/// <param name="Architecture">What it was made for: <c>gfx942</c>, <c>sm_90</c>.</param>
internal sealed record KernelImage(byte[] Bytes, string Entry, string Architecture, ArgumentLayout Layout);
