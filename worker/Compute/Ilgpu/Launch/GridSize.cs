namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>Groups of a launch in each dimension.</summary>
internal readonly record struct GridSize(int X, int Y = 1, int Z = 1)
{
    /// <summary>Groups of <paramref name="ofGroup"/> that hold <paramref name="count"/>.</summary>
    public static int Groups(int count, int ofGroup) => (count + ofGroup - 1) / ofGroup;

    public bool IsEmpty => X == 0 || Y == 0 || Z == 0;
}
