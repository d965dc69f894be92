namespace Cluster.Operator.Gateway.Traffic;

/// <summary>What happened to one deployment's requests in one slot of time.</summary>
internal sealed class TrafficSlot
{
    /// <summary>Most slots of a quiet deployment hold no durations, and need no buckets for them.</summary>
    private LatencyHistogram? _ttft;
    private LatencyHistogram? _tpot;

    public int Started { get; set; }

    public int Completed { get; set; }

    /// <summary>Failed or rejected.</summary>
    public int Refused { get; set; }

    public int Moved { get; set; }

    public long Tokens { get; set; }

    public long PromptTokens { get; set; }

    public long CachedTokens { get; set; }

    public LatencyHistogram? Ttft => _ttft;

    public LatencyHistogram? Tpot => _tpot;

    public void AddTtft(double milliseconds) => (_ttft ??= new LatencyHistogram()).Add(milliseconds);

    public void AddTpot(double milliseconds) => (_tpot ??= new LatencyHistogram()).Add(milliseconds);

    /// <summary>Into the sum of several deployments.</summary>
    public void AddTo(TrafficSlot sum)
    {
        sum.Started += Started;
        sum.Completed += Completed;
        sum.Refused += Refused;
        sum.Moved += Moved;
        sum.Tokens += Tokens;
        sum.PromptTokens += PromptTokens;
        sum.CachedTokens += CachedTokens;
        if (_ttft is not null)
        {
            (sum._ttft ??= new LatencyHistogram()).Add(_ttft);
        }

        if (_tpot is not null)
        {
            (sum._tpot ??= new LatencyHistogram()).Add(_tpot);
        }
    }
}
