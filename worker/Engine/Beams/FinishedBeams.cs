namespace Cluster.Worker.Engine.Beams;

/// <summary>The best beams that have ended. Part of <see cref="BeamSearch"/>.</summary>
/// <remarks>Hugging Face transformers, beam_search.py: BeamHypotheses.</remarks>
/// <param name="width">How many are kept.</param>
/// <param name="maxLength">Most tokens an output can have.</param>
internal sealed class FinishedBeams(int width, BeamParameters parameters, int maxLength)
{
    private readonly List<(double Score, Beam Beam)> _kept = [];

    /// <summary>Adds a beam, which the worst makes room for; when all are better, it is forgotten.</summary>
    /// <param name="length">Its tokens, the one that ended it included.</param>
    public void Add(Beam beam, int length)
    {
        _kept.Add((Score(beam.CumulativeLogprob, length), beam));
        if (_kept.Count > width)
        {
            // Of equal ones the one found first stays.
            _kept.RemoveAt(_kept.FindLastIndex(one => one.Score == _kept.Min(other => other.Score)));
        }
    }

    /// <summary>Whether searching on is not worth it, by <see cref="BeamParameters.EarlyStopping"/>.</summary>
    /// <param name="bestLogprob">The largest cumulative log-probability of anything a beam could go on with.</param>
    /// <param name="length">Tokens of those outputs.</param>
    public bool IsEnough(double bestLogprob, int length)
    {
        if (_kept.Count < width)
        {
            return false;
        }

        // Log-probabilities only fall, so with a positive penalty an output scores best as long as can be.
        var bestLength = parameters is { EarlyStopping: EarlyStopping.Never, LengthPenalty: > 0 } ? maxLength : length;
        return parameters.EarlyStopping == EarlyStopping.Immediate || _kept.Min(one => one.Score) >= Score(bestLogprob, bestLength);
    }

    /// <summary>Best first; of equal ones, the one found first.</summary>
    public IEnumerable<Beam> BestFirst() => _kept.OrderByDescending(one => one.Score).Select(one => one.Beam);

    private double Score(double cumulativeLogprob, int length) => cumulativeLogprob / Math.Pow(length, parameters.LengthPenalty);
}
