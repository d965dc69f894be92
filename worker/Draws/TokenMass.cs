namespace Cluster.Worker.Draws;

/// <summary>How likely tokens are, as whole numbers: weights become multiples of 2⁻⁴⁰ before they are added. Whole numbers have the same
/// sum in any order, so the host, whatever its vectors, and a device, whatever its threads, draw the same token. Called by the host's
/// sampler and by kernels.</summary>
/// <remarks>Masses of a million tokens fit 64 bits. A token that is 2⁴⁰ times less likely than the likeliest is never drawn.</remarks>
internal static class TokenMass
{
    /// <summary>The mass of the likeliest token.</summary>
    public const ulong One = 1UL << 40;

    /// <param name="weight">In [0, 1].</param>
    public static ulong Of(float weight) => (ulong)(long)(weight * 1.099511627776e12f);

    /// <summary>A share below 1 in units of 2⁻³², rounded up.</summary>
    public static uint ShareOf(float share) => (uint)Math.Ceiling(share * 4294967296.0);

    /// <summary>A share of a mass, rounded up, at least 1.</summary>
    /// <param name="share">In units of 2⁻³².</param>
    public static ulong Part(ulong total, uint share)
    {
        var part = ((total >> 32) * share) + ((((total & 0xffffffffUL) * share) + 0xffffffffUL) >> 32);
        return part == 0 ? 1 : part;
    }

    /// <summary>Where in a mass a random number falls: the token is the first at which the masses up to it exceed this.</summary>
    /// <param name="high">The upper 21 of 53 random bits.</param>
    /// <param name="low">The lower 32.</param>
    /// <returns>⌊total · random / 2⁵³⌋.</returns>
    public static ulong Place(ulong total, uint high, uint low)
    {
        var totalHigh = total >> 32;
        var totalLow = total & 0xffffffffUL;
        var inner = (high * totalLow) + ((low * totalLow) >> 32);
        var outer = (low * totalHigh) + (inner & 0xffffffffUL);
        var top = (high * totalHigh) + (inner >> 32) + (outer >> 32);
        return (top << 11) | ((outer & 0xffffffffUL) >> 21);
    }
}
