namespace Cluster.Worker.Engine.Constraints;

/// <summary>Where one output stands in its constraint. Part of <see cref="SamplingState"/>: <see cref="Sampler"/> reads the mask, each
/// accepted token moves it.</summary>
internal sealed class ConstraintCursor(CompiledConstraint constraint)
{
    private ConstraintState _state = constraint.Start;

    /// <summary>Bit i says whether token i may come next.</summary>
    public ReadOnlySpan<ulong> Mask => constraint.Mask(_state);

    /// <summary>Whether the output is complete and nothing but its end can follow.</summary>
    public bool IsFinal => _state.IsFinal;

    /// <summary>Another cursor at the same place.</summary>
    public ConstraintCursor Fork() => new(constraint) { _state = _state };

    /// <summary>Moves past a token. One that the mask forbids cannot have been sampled.</summary>
    public void Accept(int token) => _state = constraint.Advance(_state, token)
        ?? throw new GenerationFailedException($"token {token} was chosen though the structured output does not allow it");
}
