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
        var first = Group.IdxY * Lanes;
        shared[first + Group.IdxX] = value;
        Group.Barrier();

        // Each half of the tree twice as wide as the one before; a lane adds the pairs it needs no other lane for.
        var sum = 0f;
        for (var half = 0; half < Lanes; half += 32)
        {
            var part = Sum8(shared, first + half) + Sum8(shared, first + half + 8);
            part += Sum8(shared, first + half + 16) + Sum8(shared, first + half + 24);
            sum = half == 0 ? part : sum + part;
        }

        Group.Barrier();
        return sum;
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
