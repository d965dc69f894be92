using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Rotary embedding (Su et al. 2021) of heads, as <see cref="RopeFrequencies"/> describes it. Called by
/// <see cref="RopeAndCacheRows{V, TSimd}"/> and <see cref="RotatedRows{V, TSimd}"/>.</summary>
/// <param name="table">See <see cref="CpuRopeTable"/>.</param>
internal readonly unsafe struct Rotation<V, TSimd>(CpuRopeTable table)
    where V : unmanaged
    where TSimd : ISimd<V>
{
    private readonly float* _table = table.Rows;
    private readonly int _rotaryDim = table.RotaryDim;
    private readonly int _firstDim = table.FirstDim;
    private readonly bool _interleaved = table.Interleaved;
    private readonly int _maxPositions = table.MaxPositions;

    /// <summary>Rotates heads that lie side by side.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The table does not have the position.</exception>
    public void Apply(float* heads, int count, int headDim, int position)
    {
        if ((uint)position >= (uint)_maxPositions)
        {
            throw new ArgumentOutOfRangeException(
                nameof(position), position, $"the rope table covers positions below {_maxPositions}");
        }

        var cosSin = _table + (long)position * _rotaryDim;
        for (var head = 0; head < count; head++)
        {
            var first = heads + (long)head * headDim + _firstDim;
            if (_interleaved)
            {
                TurnNeighbours(first, cosSin, _rotaryDim / 2);
            }
            else
            {
                TurnHalves(first, cosSin, _rotaryDim / 2);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TurnHalves(float* head, float* cosSin, int pairs)
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

    private static void TurnNeighbours(float* head, float* cosSin, int pairs)
    {
        for (var i = 0; i < pairs; i++)
        {
            float x = head[2 * i], y = head[2 * i + 1], c = cosSin[i], s = cosSin[pairs + i];
            head[2 * i] = x * c - y * s;
            head[2 * i + 1] = y * c + x * s;
        }
    }
}
