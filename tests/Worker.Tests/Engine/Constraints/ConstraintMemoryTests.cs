using System.Runtime.CompilerServices;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Constraints;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>A constraint lives as long as the engine: what it remembers has to have an end, and so has the work that one request can ask
/// for between two steps.</summary>
public sealed class ConstraintMemoryTests
{
    /// <summary>The places of the last letters a are remembered: two to the power of 40 states.</summary>
    private const string ManyStates = "[ab]*a[ab]{40}";

    [Fact]
    public void States_that_were_forgotten_leave_memory_and_those_in_use_go_on()
    {
        var constraint = Compiled.Of(new Constraint.Regex(ManyStates));
        var random = new Random(1);
        var (weak, used) = Walk(constraint, random);
        var steps = 0;
        for (var state = used; steps < 4 * ConstraintLimits.MaxStates; steps++)
        {
            state = constraint.Advance(state, random.Next(2) == 0 ? 'a' : 'b')!;
        }

        GC.Collect();

        Assert.InRange(constraint.NumStates, 1, ConstraintLimits.MaxStates);
        Assert.False(weak.IsAlive);
        Assert.True(Compiled.Allows(constraint.Mask(used), 'a'));
        Assert.True(constraint.Accepts("abba" + new string('b', 40)));
        Assert.False(constraint.Accepts("abbb" + new string('b', 40)));
    }

    [Fact]
    public void Large_states_are_forgotten_sooner()
    {
        var constraint = Compiled.Of(new Constraint.Regex("[ab]*a[ab]{1000}"));
        var random = new Random(2);
        var state = constraint.Start;
        for (var i = 0; i < 6000; i++)
        {
            state = constraint.Advance(state, random.Next(2) == 0 ? 'a' : 'b')!;
        }

        // Each has about five hundred ways to be read, of sixteen bytes.
        Assert.InRange(constraint.NumStates, 1, (int)(ConstraintLimits.MaxBytes / (500 * 16)) + 2000);
    }

    [Fact]
    public void A_mask_that_would_take_too_long_is_a_failure_of_its_request()
    {
        // Every token leads to a state of its own, of hundreds of ways each.
        byte[][] tokens = [
            .. Enumerable.Range(0, 1 << 14)
                .Select(number => Enumerable.Range(0, 14).Select(bit => (byte)((number >> bit & 1) == 0 ? 'a' : 'b')).ToArray())];
        var tokenizer = new ByteTokenizer(["</s>"], tokens);
        var constraint = new ConstraintCompiler(tokenizer, tokenizer.VocabSize, [256]).Compile(new Constraint.Regex("[ab]*a[ab]{1000}"));
        var state = constraint.Start;
        for (var i = 0; i < 2000; i++)
        {
            state = constraint.Advance(state, i % 3 == 0 ? 'a' : 'b')!;
        }

        Assert.Contains(
            $"{ConstraintLimits.MaxWork}", Assert.Throws<GenerationFailedException>(() => constraint.Mask(state)).Message,
            StringComparison.Ordinal);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference Forgotten, ConstraintState Used) Walk(CompiledConstraint constraint, Random random)
    {
        var forgotten = constraint.Start;
        for (var i = 0; i < 50; i++)
        {
            forgotten = constraint.Advance(forgotten, random.Next(2) == 0 ? 'a' : 'b')!;
        }

        return (new WeakReference(forgotten), constraint.Advance(constraint.Start, 'b')!);
    }
}
