namespace Cluster.Worker.Engine.Beams;

/// <summary>The search for one request's likeliest outputs. Part of <see cref="ActiveRequest"/>; called by <see cref="LlmEngine"/> on its
/// thread. Knows no blocks: the engine has the scheduler follow what <see cref="Advance"/> says.</summary>
/// <remarks>
/// The algorithm and its scores are Hugging Face transformers' (beam_search.py, BeamSearchScorer), which vLLM follows:
/// <list type="number">
/// <item>every beam names the likeliest tokens it may go on with (<see cref="Propose"/>); one that is computed early waits;</item>
/// <item>when all have, the candidates of all beams are ordered by their cumulative log-probability; of equal ones the earlier beam's, then
/// the lower token id comes first;</item>
/// <item>going through them, those that end the output are finished, if among as many best as there are beams; the others are the next
/// beams, until there are enough;</item>
/// <item>the search ends when finished ones are enough (<see cref="FinishedBeams.IsEnough"/>), or at the longest output, where the beams
/// count as finished.</item>
/// </list>
/// A stop text ends an output as a stop token does. What the beams are depends on their logits only, not on when each was computed.
/// </remarks>
internal sealed class BeamSearch
{
    private readonly int _width;
    private readonly int _numOutputs;
    private readonly int _maxLength;
    private readonly FinishedBeams _finished;
    private Beam[] _beams;

    /// <param name="first">The prompt.</param>
    public BeamSearch(ActiveSequence first, SamplingParameters sampling, BeamParameters parameters)
    {
        _width = sampling.NumSequences;
        _numOutputs = sampling.N;
        _maxLength = first.NumTokensLeft;
        _finished = new FinishedBeams(_width, parameters, _maxLength);
        _beams = [new Beam(first)];
        Sequences = [first];
    }

    /// <summary>Sequences of the beams that go on.</summary>
    public IReadOnlyList<ActiveSequence> Sequences { get; private set; }

    /// <summary>What the search has found, best first; null until it ends. Fewer than asked for where there are no more.</summary>
    public IReadOnlyList<ActiveSequence>? Outputs { get; private set; }

    /// <summary>Notes what a beam may go on with; from now on it waits for the others.</summary>
    /// <param name="logits"><c>[vocabSize]</c>, of the beam's last token.</param>
    /// <returns>Whether all beams have come so far.</returns>
    public bool Propose(ActiveSequence sequence, ReadOnlySpan<float> logits, Sampler sampler)
    {
        // So many hold those that would be chosen even if every stop token were likelier.
        var state = sequence.SamplingState;
        var beam = Array.Find(_beams, beam => beam.Sequence == sequence)!;
        beam.Continuations = sampler.Continuations(logits, state, _width + state.StopTokens.Length, sequence.NumLogprobs);
        sequence.Sequence.AwaitsOthers = true;
        return Array.TrueForAll(_beams, beam => beam.Continuations is not null);
    }

    /// <summary>Chooses the next beams, or ends the search.</summary>
    /// <returns>By sequence, those that go on in its place; those that end there first. Nothing when the search has ended.</returns>
    public IReadOnlyList<(ActiveSequence Origin, ActiveSequence[] Heirs)> Advance()
    {
        var length = _beams[0].Sequence.Sequence.CompletionLength + 1;
        var candidates = _beams
            .SelectMany(
                beam => beam.Continuations!.Select(
                    continuation => (Beam: beam, Continuation: continuation, Logprob: beam.CumulativeLogprob + continuation.Logprob)))
            .OrderByDescending(candidate => candidate.Logprob)
            .ToList();
        var next = new List<(Beam Origin, Beam Beam)>();
        for (var rank = 0; rank < candidates.Count && next.Count < _width; rank++)
        {
            var (origin, continuation, _) = candidates[rank];
            var beam = origin.Continue(continuation);
            if (beam.FinishReason != FinishReason.Stop)
            {
                next.Add((origin, beam));
            }
            else if (rank < _width)
            {
                _finished.Add(beam, length);
            }
        }

        if (_finished.IsEnough(candidates[0].Logprob, length) || next.Count == 0)
        {
            End(_finished.BestFirst());
            return [];
        }

        if (length == _maxLength)
        {
            next.ForEach(one => _finished.Add(one.Beam, length));
            End(_finished.BestFirst());
            return [];
        }

        var origins = _beams;
        _beams = [.. next.Select(one => one.Beam)];
        Sequences = [.. _beams.Select(beam => beam.Sequence)];
        return [.. origins
            .Select(origin => (origin.Sequence, Heirs: next.Where(one => one.Origin == origin).Select(one => one.Beam.Sequence).ToArray()))
            .OrderBy(succession => succession.Heirs.Length > 0)];
    }

    /// <summary>Ends the search with what there is, the finished ones first.</summary>
    public void Abort()
    {
        if (Outputs is null)
        {
            End(_finished.BestFirst().Concat(_beams.OrderByDescending(beam => beam.CumulativeLogprob).Select(beam => beam.Abort())),
                FinishReason.Abort);
        }
    }

    private void End(IEnumerable<Beam> best, FinishReason? reason = null)
    {
        Outputs = [.. best.Take(_numOutputs).Select((beam, rank) =>
        {
            var whole = beam.Whole();
            beam.Sequence.Conclude(
                whole with
                {
                    Index = rank,
                    FinishReason = reason ?? whole.FinishReason,
                    StopReason = reason is null ? whole.StopReason : null,
                    StopTokenId = reason is null ? whole.StopTokenId : null,
                });
            return beam.Sequence;
        })];
    }
}
