namespace Cluster.Worker.Engine.Speculation;

/// <summary>Speculative decoding: several tokens of a sequence from one step of the model. Called by <see cref="LlmEngine"/> on its thread,
/// before planning and after sampling; calls an <see cref="IDraftProposer"/>.</summary>
/// <remarks>
/// The life of a draft:
/// <list type="number">
/// <item><see cref="Propose"/> has the tokens guessed that sequences about to decode may go on with;</item>
/// <item><see cref="Scheduler"/> gives them rows, blocks and logits that nothing else needs in this step, and drops the rest: speculation
/// never delays, preempts or evicts a sequence;</item>
/// <item>the engine samples row after row, as if each were a step of its own, for as long as the choice equals the guess: then the next
/// row's context was right;</item>
/// <item><see cref="Scheduler.SettleDraft"/> takes back rows and blocks of the guesses that were wrong.</item>
/// </list>
/// So every token is the choice of <see cref="Sampler"/> from the target's logits with its position's own random number, and an output is
/// the same with speculation as without it, bit for bit: greedy or sampled, with penalties, masks, stop texts, whatever the batch. For a
/// guess without a distribution this accepts as often as rejection sampling (Leviathan, Kalman, Matias, 2023): both with the probability
/// the target gives it. For a draft model it accepts less often than rejection sampling could, and keeps what that would lose: the same
/// seed gives the same text, however many rows a busy step had left for drafts.
/// </remarks>
internal sealed class Speculator : IDisposable
{
    /// <summary>Most tokens a draft can have; beyond this no draft pays.</summary>
    public const int MostTokens = 32;

    private readonly IDraftProposer _proposer;
    private readonly List<DraftRequest> _requests = [];
    private readonly long[] _acceptedPerPosition;
    private long _numDrafts;
    private long _numDraftTokens;

    /// <param name="proposer">Owned.</param>
    /// <param name="numTokens">Tokens to guess in a step.</param>
    public Speculator(IDraftProposer proposer, int numTokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(numTokens, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(numTokens, MostTokens);
        _proposer = proposer;
        _acceptedPerPosition = new long[numTokens];
    }

    public SpeculationStatistics Statistics => new(_numDrafts, _numDraftTokens, _acceptedPerPosition.Sum(), [.. _acceptedPerPosition]);

    /// <summary>Gives every sequence that lacks only its last token a draft, if there is an idea.</summary>
    /// <param name="running">None has a draft that was verified already.</param>
    public void Propose(IReadOnlyList<Sequence> running, IReadOnlyDictionary<Sequence, ActiveSequence> active)
    {
        _requests.Clear();
        foreach (var sequence in running)
        {
            // A step can have had no row for the sequence at all; its tokens may be guessed anew.
            sequence.TruncateDraft(0);
            if (sequence.Length - sequence.NumComputedTokens == 1)
            {
                // A sequence about to fork has to be where its forks start.
                var candidate = active[sequence];
                var most = candidate.Request.IsAboutToFork ? 0 : Math.Min(_acceptedPerPosition.Length, candidate.NumTokensLeft - 1);
                if (most > 0)
                {
                    _requests.Add(new DraftRequest(sequence, candidate.SamplingState, most));
                }
            }
        }

        if (_requests.Count > 0)
        {
            _proposer.Propose(_requests);
        }
    }

    /// <summary>Counts a draft that was verified.</summary>
    public void Count(int drafted, int accepted)
    {
        _numDrafts++;
        _numDraftTokens += drafted;
        for (var i = 0; i < accepted; i++)
        {
            _acceptedPerPosition[i]++;
        }
    }

    public void Forget(Sequence sequence) => _proposer.Forget(sequence);

    public void Dispose() => _proposer.Dispose();
}
