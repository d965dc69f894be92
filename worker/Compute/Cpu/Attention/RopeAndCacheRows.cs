using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Rotary embedding (Su et al. 2021, in the Hugging Face "half" pairing) of a row's queries and keys, and the copy of its keys and
/// values into the cache.</summary>
internal unsafe struct RopeAndCacheRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary><c>[rows, (heads + 2·kvHeads)·headDim]</c>.</summary>
    public float* Qkv;

    /// <summary>See <see cref="CpuRopeTable"/>; null rotates nothing.</summary>
    public float* Table;

    public KvLayer Cache;
    public int* Positions;
    public int* Slots;
    public int RotaryDim;
    public int Heads;
    public int KvHeads;
    public int HeadDim;
    public int BlockSize;
    public int NumBlocks;
    public int MaxPositions;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int row)
    {
        CheckBounds(Positions[row], Slots[row]);
        var heads = Qkv + (long)row * (Heads + 2 * KvHeads) * HeadDim;
        if (Table != null)
        {
            var cosSin = Table + (long)Positions[row] * RotaryDim;
            for (var head = 0; head < Heads + KvHeads; head++)
            {
                Rotate(heads + head * HeadDim, cosSin, RotaryDim / 2);
            }
        }

        for (var head = 0; head < KvHeads; head++)
        {
            Cache.Write(Slots[row], head, heads + (Heads + head) * HeadDim, heads + (Heads + KvHeads + head) * HeadDim);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rotate(float* head, float* cosSin, int pairs)
    {
        var second = head + pairs;
        var sin = cosSin + pairs;
        var i = 0;
        for (; i <= pairs - TSimd.Lanes; i += TSimd.Lanes)
        {
            V x = TSimd.Load(head + i), y = TSimd.Load(second + i), c = TSimd.Load(cosSin + i), s = TSimd.Load(sin + i);
            TSimd.Store(TSimd.Subtract(TSimd.Multiply(x, c), TSimd.Multiply(y, s)), head + i);
            TSimd.Store(TSimd.Add(TSimd.Multiply(y, c), TSimd.Multiply(x, s)), second + i);
        }

        for (; i < pairs; i++)
        {
            float x = head[i], y = second[i];
            head[i] = x * cosSin[i] - y * sin[i];
            second[i] = y * cosSin[i] + x * sin[i];
        }
    }

    private readonly void CheckBounds(int position, int slot)
    {
        if ((uint)position >= (uint)MaxPositions)
        {
            throw new ArgumentOutOfRangeException(nameof(position), position, $"the rope table covers positions below {MaxPositions}");
        }

        if ((uint)slot >= (uint)NumBlocks * (uint)BlockSize)
        {
            throw new ArgumentOutOfRangeException(nameof(slot), slot, $"the cache has {NumBlocks} blocks of {BlockSize} slots");
        }
    }
}
