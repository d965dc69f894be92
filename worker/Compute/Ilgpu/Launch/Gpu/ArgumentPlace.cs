namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>Where an argument is written in a launch's block, in bytes from its start.</summary>
/// <param name="At">Address of a view, or a number.</param>
/// <param name="LengthAt">Elements of a view; −1 for a number.</param>
/// <param name="ElementBytes">Of a view.</param>
internal readonly record struct ArgumentPlace(int At, int LengthAt, int ElementBytes);
