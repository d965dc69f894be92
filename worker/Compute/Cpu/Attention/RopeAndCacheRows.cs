using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Rotary embedding of a row's queries and keys, and the copy of its keys and values into the cache.</summary>
internal unsafe struct RopeAndCacheRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary><c>[rows, (heads + 2·kvHeads)·headDim]</c>.</summary>
    public float* Qkv;

    /// <summary>Null rotates nothing.</summary>
    public Rotation<V, TSimd>? Rotation;

    public KvLayer Cache;
    public int* Positions;
    public int* Slots;
    public int Heads;
    public int KvHeads;
    public int HeadDim;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int row)
    {
        var heads = Qkv + (long)row * (Heads + 2 * KvHeads) * HeadDim;
        Rotation?.Apply(heads, Heads + KvHeads, HeadDim, Positions[row]);
        for (var head = 0; head < KvHeads; head++)
        {
            Cache.Write<V, TSimd>(Slots[row], head, heads + (Heads + head) * HeadDim, heads + (Heads + KvHeads + head) * HeadDim);
        }
    }
}
