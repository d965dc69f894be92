using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

public class SpinLimitTests
{
    [Fact]
    public void Ranks_with_processors_of_their_own_spin_for_longer_than_waking_takes()
    {
        var spin = new SpinLimit(processors: 2, ranks: 2);
        Assert.Equal(SpinLimit.Long, spin.Ticks);

        // Now and then a rank is late: no reason to give up.
        for (var wait = 0; wait < 100; wait++)
        {
            spin.Miss();
            Assert.Equal(SpinLimit.Long, spin.Ticks);
            spin.Hit(SpinLimit.Short + 1);
        }
    }

    [Fact]
    public void More_ranks_than_processors_never_spin_long() => Assert.Equal(0, LongSpins(new SpinLimit(processors: 2, ranks: 3), waits: 1000));

    /// <summary>Other programs may use the processors, so their number alone does not tell.</summary>
    [Fact]
    public void Where_long_spins_bring_nothing_they_become_rare()
    {
        var spin = new SpinLimit(processors: 2, ranks: 2);

        Assert.InRange(LongSpins(spin, waits: 10_000), 2, 24);
        Assert.InRange(LongSpins(spin, waits: 10_000), 2, 8);
    }

    [Fact]
    public void Long_spins_come_back_when_they_bring_something_again()
    {
        var spin = new SpinLimit(processors: 2, ranks: 2);
        LongSpins(spin, waits: 100_000);

        var hits = 0;
        for (var wait = 0; wait < 100_000; wait++)
        {
            if (spin.Ticks == SpinLimit.Long)
            {
                spin.Hit(SpinLimit.Short + 1);
                hits++;
            }
            else
            {
                spin.Miss();
            }
        }

        Assert.InRange(hits, 90_000, 100_000);
    }

    /// <returns>How many of so many waits, in which the others never come in time, spin long.</returns>
    private static int LongSpins(SpinLimit spin, int waits)
    {
        var count = 0;
        for (var wait = 0; wait < waits; wait++)
        {
            count += spin.Ticks == SpinLimit.Long ? 1 : 0;
            spin.Miss();
        }

        return count;
    }
}
