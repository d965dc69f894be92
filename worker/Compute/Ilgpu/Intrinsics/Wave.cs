using ILGPU;
using ILGPU.IR.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>What the 64 lanes of a wave do together. Groups are (64, n): a wave is one row of the group on every device, whatever width the
/// hardware has.</summary>
/// <remarks>Every thread of the group must arrive: on devices without cross-lane instructions these are barriers. The order of additions is
/// the same on all devices: neighbours first, then pairs of neighbours, and so on.</remarks>
internal static class Wave
{
    public const int Lanes = 64;

    /// <summary>Most waves of a group.</summary>
    public const int MaxWaves = 4;

    /// <summary>Eighths of a wave.</summary>
    private const int Octets = Lanes / 8;

    /// <summary>The sum over the lanes, in every lane.</summary>
    [IntrinsicImplementation]
    public static float Sum(float value) => PortableSum(value);

    /// <summary>The largest value of the lanes, in every lane.</summary>
    [IntrinsicImplementation]
    public static float Max(float value) => PortableMax(value);

    /// <summary><see cref="Sum"/> through shared memory.</summary>
    public static float PortableSum(float value)
    {
        var shared = SharedMemory.Allocate<float>(Lanes * MaxWaves);
        var octets = SharedMemory.Allocate<float>(Octets * MaxWaves);
        var first = Group.IdxY * Lanes;
        shared[first + Group.IdxX] = value;
        Group.Barrier();
        if (Group.IdxX < Octets)
        {
            octets[Group.IdxY * Octets + Group.IdxX] = Sum8(shared, first + Group.IdxX * 8);
        }

        // Nothing is written again before all have passed the next sum's first barrier.
        Group.Barrier();
        return Sum8(octets, Group.IdxY * Octets);
    }

    /// <summary><see cref="Max"/> through shared memory.</summary>
    public static float PortableMax(float value)
    {
        var shared = SharedMemory.Allocate<float>(Lanes * MaxWaves);
        var first = Group.IdxY * Lanes;
        shared[first + Group.IdxX] = value;
        Group.Barrier();
        var max = shared[first];
        for (var lane = 1; lane < Lanes; lane++)
        {
            max = Native.Max(shared[first + lane], max);
        }

        Group.Barrier();
        return max;
    }

    /// <summary>The largest value of the four lanes l, l + 16, l + 32 and l + 48, in each of them: they share a column of
    /// <see cref="MatrixCore"/>'s results.</summary>
    [IntrinsicImplementation]
    public static float MaxOfSharers(float value) => PortableMaxOfSharers(value);

    /// <summary>The sum of those lanes: of the first two, and of the others.</summary>
    [IntrinsicImplementation]
    public static float SumOfSharers(float value) => PortableSumOfSharers(value);

    /// <summary><see cref="MaxOfSharers"/> through shared memory.</summary>
    public static float PortableMaxOfSharers(float value)
    {
        var sharers = Sharers(value);
        return Native.Max(Native.Max(sharers.X, sharers.Y), Native.Max(sharers.Z, sharers.W));
    }

    /// <summary><see cref="SumOfSharers"/> through shared memory.</summary>
    public static float PortableSumOfSharers(float value)
    {
        var sharers = Sharers(value);
        return (sharers.X + sharers.Y) + (sharers.Z + sharers.W);
    }

    private static Float4 Sharers(float value)
    {
        var shared = SharedMemory.Allocate<float>(Lanes * MaxWaves);
        var at = Group.IdxY * Lanes;
        shared[at + Group.IdxX] = value;
        Group.Barrier();
        at += Group.IdxX % MatrixCore.Tile;
        Float4 values;
        values.X = shared[at];
        values.Y = shared[at + MatrixCore.Tile];
        values.Z = shared[at + 2 * MatrixCore.Tile];
        values.W = shared[at + 3 * MatrixCore.Tile];
        Group.Barrier();
        return values;
    }

    /// <summary>The sum over the threads of a group, waves in order, in every thread.</summary>
    public static float GroupSum(float value)
    {
        var sum = Sum(value);
        if (Group.DimY == 1)
        {
            return sum;
        }

        var waves = SharedMemory.Allocate<float>(MaxWaves);
        if (Group.IdxX == 0)
        {
            waves[Group.IdxY] = sum;
        }

        Group.Barrier();
        sum = waves[0];
        for (var wave = 1; wave < Group.DimY; wave++)
        {
            sum += waves[wave];
        }

        Group.Barrier();
        return sum;
    }

    private static float Sum8(ArrayView<float> values, int at) =>
        ((values[at] + values[at + 1]) + (values[at + 2] + values[at + 3]))
        + ((values[at + 4] + values[at + 5]) + (values[at + 6] + values[at + 7]));
}
