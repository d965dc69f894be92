using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Beams;

namespace Cluster.Worker.Tests.Engine.Beams;

/// <summary>Beam search written the slow and obvious way after transformers' generate(): every token of the vocabulary is a candidate in
/// every step, texts are whole strings, and nothing is kept but tokens and sums.</summary>
/// <param name="logprobs">Natural-log probabilities of every next token after a context of prompt and output.</param>
/// <param name="stopTokens">Tokens that end an output.</param>
internal sealed class NaiveBeamSearch(
    Func<int[], int[], double[]> logprobs, SamplingParameters sampling, int[] stopTokens, Func<int[], string> decode)
{
    private readonly int _width = sampling.NumSequences;
    private readonly List<Output> _finished = [];

    public List<Output> Run(int[] prompt, int maxTokens)
    {
        List<(int[] Tokens, double Sum)> beams = [([], 0)];
        for (var length = 1; length <= maxTokens; length++)
        {
            var candidates = beams
                .SelectMany(
                    beam => logprobs(prompt, beam.Tokens)
                        .Select((logprob, token) => (Tokens: (int[])[.. beam.Tokens, token], Sum: beam.Sum + logprob)))
                .Where(candidate => candidate.Sum > double.NegativeInfinity)
                .OrderByDescending(candidate => candidate.Sum)
                .ToArray();
            beams = [];
            for (var rank = 0; beams.Count < _width && rank < candidates.Length; rank++)
            {
                if (!Ends(candidates[rank].Tokens))
                {
                    beams.Add(candidates[rank]);
                }
                else if (rank < _width)
                {
                    Keep(candidates[rank].Tokens, candidates[rank].Sum, FinishReason.Stop);
                }
            }

            if (IsDone(candidates[0].Sum, length, maxTokens) || beams.Count == 0)
            {
                break;
            }

            if (length == maxTokens)
            {
                beams.ForEach(beam => Keep(beam.Tokens, beam.Sum, FinishReason.Length));
            }
        }

        return [.. _finished.OrderByDescending(output => output.Score).Take(sampling.N)];
    }

    private bool Ends(int[] tokens) =>
        stopTokens.Contains(tokens[^1])
            || (tokens.Length > sampling.MinTokens && sampling.Stop.Any(stop => decode(tokens).EndsWith(stop, StringComparison.Ordinal)));

    private void Keep(int[] tokens, double sum, FinishReason reason)
    {
        _finished.Add(new Output(tokens, sum, sum / Math.Pow(tokens.Length, sampling.Beams!.LengthPenalty), reason));
        if (_finished.Count > _width)
        {
            _finished.Remove(_finished.OrderBy(output => output.Score).First());
        }
    }

    private bool IsDone(double bestSum, int length, int maxTokens)
    {
        var penalty = sampling.Beams!.LengthPenalty;
        return _finished.Count >= _width && sampling.Beams.EarlyStopping switch
        {
            EarlyStopping.Immediate => true,
            EarlyStopping.Heuristic => _finished.Min(output => output.Score) >= bestSum / Math.Pow(length, penalty),
            _ => _finished.Min(output => output.Score) >= bestSum / Math.Pow(penalty > 0 ? maxTokens : length, penalty),
        };
    }

    internal sealed record Output(int[] Tokens, double Sum, double Score, FinishReason Reason);
}
