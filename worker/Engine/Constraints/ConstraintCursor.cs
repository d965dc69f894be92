namespace Cluster.Worker.Engine.Constraints;

/// <summary>Where one output stands in its constraint. Part of <see cref="SamplingState"/>: <see cref="Sampler"/> reads the mask, each
/// accepted token moves it.</summary>
/// <param name="free">What comes before the constraint begins to hold; null when nothing does.</param>
internal sealed class ConstraintCursor(CompiledConstraint constraint, FreeText? free = null)
{
    /// <summary>Null where the output can only be the beginning of a free part.</summary>
    private ConstraintState? _state = constraint.Start;

    /// <summary>Whether any token may come next, for the constraint does not hold yet.</summary>
    public bool IsFree => free is { IsFree: true };

    /// <summary>Bit i says whether token i may come next.</summary>
    public ReadOnlySpan<ulong> Mask => free is { IsUndecided: true } ? Beginnings(free) : constraint.Mask(_state!);

    /// <summary>Whether the output is complete and nothing but its end can follow.</summary>
    public bool IsFinal => _state is { IsFinal: true } && free is not { IsUndecided: true };

    /// <summary>Another cursor at the same place.</summary>
    public ConstraintCursor Fork() => new(constraint, free?.Fork()) { _state = _state };

    /// <summary>Moves past a token. One that the mask forbids cannot have been sampled.</summary>
    public void Accept(int token)
    {
        if (free is { IsFree: true })
        {
            free.Accept(token);
            return;
        }

        var isUndecided = free is { IsUndecided: true };
        var next = _state is null ? null : constraint.Advance(_state, token);
        if (isUndecided)
        {
            free!.Accept(token);
        }

        _state = free is { IsFree: true } ? constraint.Start
            : next is null && free is not { IsUndecided: true }
                ? throw new GenerationFailedException($"token {token} was chosen though the structured output does not allow it")
            : next;
    }

    /// <summary>The output may go on with what the constraint allows, or with the beginning of a free part.</summary>
    private ulong[] Beginnings(FreeText openings)
    {
        ulong[] mask = [.. constraint.Mask(_state ?? constraint.Start)];
        if (_state is null)
        {
            Array.Clear(mask);
        }

        foreach (var token in openings.NextTokens.Where(token => token >> 6 < mask.Length))
        {
            mask[token >> 6] |= 1UL << token;
        }

        return mask;
    }
}
