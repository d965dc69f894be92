using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>The copy of a row into a latent cache. Called by <see cref="CpuBackend"/>.</summary>
internal unsafe struct LatentRows : IRowBody
{
    /// <summary><c>[rows, headDim]</c>.</summary>
    public float* Latent;

    public KvLayer Cache;
    public int* Slots;
    public int HeadDim;

    public readonly void Execute(int row) => Cache.WriteLatent(Slots[row], Latent + (long)row * HeadDim);
}
