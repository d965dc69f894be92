namespace Cluster.Worker.Engine.Constraints;

/// <summary>Where one output stands in its constraint. Part of <see cref="SamplingState"/>: <see cref="Sampler"/> reads the mask, each
/// accepted token moves it.</summary>
/// <param name="free">What comes before the constraint begins to hold; null when nothing does.</param>
internal sealed class ConstraintCursor(CompiledConstraint constraint, FreeText? free = null)
{
    private ConstraintState _state = constraint.Start;
    private ulong[]? _beginnings;

    /// <summary>Whether any token may come next, for the constraint does not hold yet.</summary>
    public bool IsFree => free is { IsFree: true };

    /// <summary>Bit i says whether token i may come next.</summary>
    public ReadOnlySpan<ulong> Mask => free is { IsUndecided: true } ? _beginnings ??= Beginnings(free) : constraint.Mask(_state);

    /// <summary>Whether the output is complete and nothing but its end can follow.</summary>
    public bool IsFinal => _state.IsFinal;

    /// <summary>Another cursor at the same place.</summary>
    public ConstraintCursor Fork() => new(constraint, free?.Fork()) { _state = _state };

    /// <summary>Moves past a token. One that the mask forbids cannot have been sampled.</summary>
    public void Accept(int token)
    {
        if (free?.Accept(token) != true)
        {
            _state = constraint.Advance(_state, token)
                ?? throw new GenerationFailedException($"token {token} was chosen though the structured output does not allow it");
        }
    }

    /// <summary>The output may begin with what the constraint allows, or with a free part.</summary>
    private ulong[] Beginnings(FreeText openings)
    {
        ulong[] mask = [.. constraint.Mask(_state)];
        foreach (var token in openings.Openings)
        {
            if (token >> 6 < mask.Length)
            {
                mask[token >> 6] |= 1UL << token;
            }
        }

        return mask;
    }
}
