using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Engine;

/// <content>Tokens that the device chooses, so that their rows of logits stay there.</content>
internal sealed partial class LlmEngine
{
    /// <summary>Of each sequence of the step, which draw gives its token; -1 where the host chooses.</summary>
    private readonly List<int> _drawOf = [];

    /// <summary>Has the device choose the tokens of all sequences whose whole rows nobody wants.</summary>
    private void PlanDraws(StepBatch batch)
    {
        batch.Draws.Clear();
        _drawOf.Clear();
        foreach (var entry in _scheduler.Scheduled)
        {
            _drawOf.Add(_runner.SamplesOnDevice && TryDraw(batch, entry) ? batch.Draws.Count - 1 : -1);
        }
    }

    /// <summary>Beams, forks, drafts and log-probabilities of other tokens need whole rows.</summary>
    private bool TryDraw(StepBatch batch, ScheduledSequence entry)
    {
        if (entry.LogitIndex < 0 || entry.Sequence.NumDraftTokens > 0)
        {
            return false;
        }

        var active = _active[entry.Sequence];
        if (active.Request.IsAboutToFork || active.NumTokensLeft == 0 || active.NumLogprobs > 0)
        {
            return false;
        }

        try
        {
            return DrawPacker.TryAdd(
                batch.Draws, entry.LogitIndex, active.SamplingState, _runner.VocabSize, active.NumLogprobs is not null);
        }
        catch (Exception)
        {
            // The host meets the same when it comes to choose, and tells the request.
            return false;
        }
    }
}
