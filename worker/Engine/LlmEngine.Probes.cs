namespace Cluster.Worker.Engine;

/// <content>Known answers: the engine's thread asks the model before it takes requests, and again whenever the interval has passed and
/// nothing else is to be computed. Where it is never idle, a whole interval later it asks between two steps all the same.</content>
internal sealed partial class LlmEngine
{
    private readonly KnownAnswerProbe? _probe;
    private readonly ITimer? _probeTimer;
    private readonly TaskCompletionSource<string?> _knownAnswer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _wrongResults = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _probeDue;
    private bool _probeOverdue;

    /// <summary>Completes before the first request is computed, with the digest of the model's answer; null where nothing is
    /// asked.</summary>
    public Task<string?> KnownAnswer => _knownAnswer.Task;

    /// <summary>Completes when the model answers otherwise than when it was loaded, with how: what it computes from now on cannot be
    /// trusted, and new requests are refused. Never completes where all is well.</summary>
    public Task<string> WrongResults => _wrongResults.Task;

    /// <summary>The timer's callback.</summary>
    private void RequestProbe()
    {
        lock (_gate)
        {
            _probeOverdue |= _probeDue;
            _probeDue = true;
            Monitor.Pulse(_gate);
        }
    }

    private void FirstProbe()
    {
        if (_probe is not null)
        {
            _clock.Begin();
            _probe.TryAsk(out _);
            PublishProbes();
        }

        _knownAnswer.TrySetResult(_probe?.Reference);
    }

    private void ProbeIfDue()
    {
        lock (_gate)
        {
            if (!_probeDue || (!_probeOverdue && (_scheduler.HasWork || _arrivals.Count > 0)))
            {
                return;
            }
        }

        // Nobody shall wait for it to see what the last step gave.
        Deliver();
        _clock.Begin();
        if (!_probe!.TryAsk(out var deviation))
        {
            return;
        }

        _clock.Advance();
        lock (_gate)
        {
            _probeDue = _probeOverdue = false;
        }

        PublishProbes();
        if (deviation is not null)
        {
            _wrongResults.TrySetResult(deviation);
        }
    }

    private void PublishProbes()
    {
        lock (_gate)
        {
            _statistics = _statistics with { KnownAnswers = _probe!.Statistics };
        }
    }
}
