using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Autoscaling;

namespace Cluster.Operator.Tests.Reconciling.Autoscaling;

/// <summary>A day of traffic, second by second: requests come at a rate that follows the hour, with bursts and lulls; replicas take a while
/// to start, each works off so many tokens a second on so many requests at once, and what finds no room waits in the gateway.</summary>
/// <param name="isUnsteady">The rate is another one every ten minutes, half to one and a half of the hour's, or six times as much.</param>
internal sealed class SimulatedDay(int seed, AutoscalingSpec spec, bool isUnsteady = true)
{
    public const int Seconds = 86_400;
    public const int StartSeconds = 40;

    private const int TokensPerSecond = 400;
    private const int SlotsPerReplica = 16;

    private readonly Random _random = new(seed);
    private readonly Queue<(int At, int Tokens)> _queued = new();
    private readonly List<int> _running = [];
    private readonly List<int> _starting = [];
    private AutoscalerState _state = AutoscalerState.Begin(spec, null, 0);
    private int _ready;
    private int _lastRequest = int.MinValue;
    private double _burst = 1;

    /// <summary>Every decision that changed the number: when, from, to.</summary>
    public List<(int At, int From, int To)> Changes { get; } = [];

    /// <summary>What was needed by the target at each second, and wanted.</summary>
    public List<(int Needed, int Desired, bool Unknown)> Seen { get; } = [];

    public int MaxQueueSeconds { get; private set; }

    /// <summary>How often the need itself was another one than a second before.</summary>
    public int ChangesOfNeed => Seen.Zip(Seen.Skip(1)).Count(pair => pair.First.Needed != pair.Second.Needed);

    public int Requests { get; private set; }

    /// <param name="busiest">Requests a second at noon.</param>
    public void Run(double busiest, bool restarts = false, bool losesGateways = false)
    {
        var start = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
        for (var second = 0; second < Seconds; second++)
        {
            Arrive(second, busiest);
            Serve(second);
            var unknown = losesGateways && second % 7200 is > 3600 and < 3720;
            var demand = unknown ? Demand.Unknown("gateway a does not answer") : Measure(second);
            if (restarts && second % 1777 == 0)
            {
                _state = AutoscalerState.Begin(spec, _state.ToStatus(null, start.AddSeconds(second)), _ready);
            }

            var before = _state.Desired;
            _state = Autoscaler.Decide(spec, demand, _ready, _state, start.AddSeconds(second));
            if (_state.Desired != before)
            {
                Changes.Add((second, before, _state.Desired));
            }

            Seen.Add((Needed(), _state.Desired, unknown));
            Follow(second);
        }
    }

    private void Arrive(int second, double busiest)
    {
        _burst = isUnsteady && second % 600 == 0 ? (_random.Next(20) == 0 ? 6 : 0.5 + _random.NextDouble()) : _burst;
        var hour = second / 3600.0;
        var rate = hour is < 2 or > 22.5 ? 0 : busiest * _burst * Math.Max(0, Math.Sin((hour - 2) / 20.5 * Math.PI));
        for (var due = rate; due > 0; due--)
        {
            if (_random.NextDouble() < due)
            {
                _queued.Enqueue((second, _random.Next(100, 1200)));
                _lastRequest = second;
                Requests++;
            }
        }
    }

    private void Serve(int second)
    {
        while (_queued.Count > 0 && _running.Count < _ready * SlotsPerReplica)
        {
            var (at, tokens) = _queued.Dequeue();
            MaxQueueSeconds = Math.Max(MaxQueueSeconds, second - at);
            _running.Add(tokens);
        }

        if (_running.Count > 0)
        {
            var each = (int)Math.Max(1, Math.Min(60, (double)_ready * TokensPerSecond / _running.Count));
            for (var i = _running.Count - 1; i >= 0; i--)
            {
                if ((_running[i] -= each) <= 0)
                {
                    _running.RemoveAt(i);
                }
            }
        }
    }

    private Demand Measure(int second) => new(
        _queued.Count, _running.Count, Outstanding(), _queued.Count == 0 ? 0 : second - _queued.Peek().At,
        _lastRequest == int.MinValue ? null : second - _lastRequest);

    private long Outstanding() => _running.Sum(t => (long)t) + _queued.Sum(q => (long)q.Tokens);

    private int Needed() => spec.TargetOutstandingTokens is { } target
        ? (int)Math.Ceiling(Outstanding() / (target * 1.1))
        : _queued.Count > 0 ? 1 : 0;

    /// <summary>What the operator and kubelets do with the number.</summary>
    private void Follow(int second)
    {
        _starting.RemoveAll(at =>
        {
            var isUp = second >= at + StartSeconds;
            _ready += isUp ? 1 : 0;
            return isUp;
        });
        while (_ready + _starting.Count < _state.Desired)
        {
            _starting.Add(second);
        }

        while (_ready + _starting.Count > _state.Desired && _starting.Count > 0)
        {
            _starting.RemoveAt(_starting.Count - 1);
        }

        _ready = Math.Min(_ready, _state.Desired);
    }
}
