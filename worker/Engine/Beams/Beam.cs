namespace Cluster.Worker.Engine.Beams;

/// <summary>One of the outputs a <see cref="BeamSearch"/> follows, or has followed to its end.</summary>
internal sealed class Beam
{
    private readonly Step? _last;

    /// <param name="sequence">The prompt, from which every search starts.</param>
    public Beam(ActiveSequence sequence) => Sequence = sequence;

    private Beam(ActiveSequence sequence, double cumulativeLogprob, Step last)
    {
        Sequence = sequence;
        CumulativeLogprob = cumulativeLogprob;
        _last = last;
    }

    public ActiveSequence Sequence { get; }

    /// <summary>Sum over the output's tokens.</summary>
    public double CumulativeLogprob { get; }

    public FinishReason? FinishReason => _last?.Output.FinishReason;

    /// <summary>What the beam may go on with, best first; null until that is computed.</summary>
    public IReadOnlyList<Continuation>? Continuations { get; set; }

    /// <summary>A beam of one token more.</summary>
    public Beam Continue(Continuation continuation)
    {
        var fork = Sequence.Fork();
        fork.Accept(continuation.TokenId, continuation.Logprobs);
        var beam = new Beam(fork, CumulativeLogprob + continuation.Logprob, new Step(fork.Pending!, _last));
        fork.Delivered();
        return beam;
    }

    /// <summary>The beam as it is, ended from outside.</summary>
    public Beam Abort()
    {
        Sequence.Abort();
        return new Beam(Sequence, CumulativeLogprob, new Step(Sequence.Pending!, _last));
    }

    /// <summary>All of an ended beam's output.</summary>
    public TokenOutput Whole()
    {
        var outputs = new Stack<TokenOutput>();
        for (var step = _last; step is not null; step = step.Before)
        {
            outputs.Push(step.Output);
        }

        var whole = new JoinedOutput();
        foreach (var output in outputs)
        {
            whole.Add(output);
        }

        return whole.Whole();
    }

    /// <summary>What one token gave. Beams that began alike share their steps.</summary>
    private sealed record Step(TokenOutput Output, Step? Before);
}
