namespace Cluster.Worker.Engine;

/// <summary>Keeps the outputs of a request's sequences until all have ended, and then the likeliest. Called by
/// <see cref="ActiveRequest"/>.</summary>
/// <param name="count">How many to keep.</param>
internal sealed class BestOutputs(int count)
{
    private readonly SortedDictionary<int, Candidate> _candidates = [];

    /// <param name="cumulativeLogprob">Of the whole sequence up to this output.</param>
    public void Add(TokenOutput output, double cumulativeLogprob)
    {
        if (!_candidates.TryGetValue(output.Index, out var candidate))
        {
            _candidates.Add(output.Index, candidate = new Candidate());
        }

        candidate.Outputs.Add(output);
        candidate.Logprob = cumulativeLogprob;
    }

    /// <summary>The best, each in one output, numbered by rank; of equally likely ones the earlier sequence is better.</summary>
    public IEnumerable<TokenOutput> Take() =>
        _candidates.Values.OrderByDescending(candidate => candidate.Logprob).Take(count)
            .Select((candidate, rank) => candidate.Outputs.Whole() with { Index = rank });

    private sealed class Candidate
    {
        public JoinedOutput Outputs { get; } = new();

        public double Logprob { get; set; }
    }
}
