using Cluster.Operator.Gateway.Admission;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Relay;
using Cluster.Operator.Gateway.Replicas;
using Cluster.Operator.Gateway.Routing;
using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Gateway;

/// <summary>What the endpoints of a gateway share. Made by <see cref="GatewayHost"/>.</summary>
internal sealed class GatewayServices : IDisposable
{
    private const int LongestShown = 100;

    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly ReplicaMetrics _scraper;
    private Task _running = Task.CompletedTask;

    /// <exception cref="FormatException">The file of API keys is wrong.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public GatewayServices(GatewayOptions options, ReplicaTable replicas)
    {
        Options = options;
        Replicas = replicas;
        Log = options.Logging.CreateLogger("cluster.gateway");
        Metrics = new GatewayMetrics(options.Metrics);
        Traffic = new TrafficLog(options.Time);
        Bodies = new RequestBytes(options.MaxRequestBytes, options.MaxInflightRequestBytes);
        Gate = new ApiKeyGate(
            options.ApiKeysFile, options.Time, (key, reason) => Metrics.KeyRefusals.With(key, reason).Increment(), Log);
        Dispatcher = new Dispatcher(options, replicas, States);
        Health = new ReplicaHealth(Connections, States, replicas, options.Time, Dispatcher.Pump, _stop.Token);
        _scraper = new ReplicaMetrics(Connections, States, replicas, Traffic, options.Time);
        replicas.Changed += snapshot =>
        {
            States.Keep(snapshot);
            Dispatcher.Pump();
        };
    }

    public GatewayOptions Options { get; }

    public ReplicaTable Replicas { get; }

    public ReplicaStates States { get; } = new();

    public ReplicaConnections Connections { get; } = new();

    public ReplicaHealth Health { get; }

    public Dispatcher Dispatcher { get; }

    public RequestBytes Bodies { get; }

    public ApiKeyGate Gate { get; }

    public GatewayMetrics Metrics { get; }

    /// <summary>What the page shows.</summary>
    public TrafficLog Traffic { get; }

    public ILogger Log { get; }

    /// <summary>It ends: nobody shall send more requests.</summary>
    public bool IsDraining { get; set; }

    /// <summary>Cancelled when requests have had their time to finish.</summary>
    public CancellationToken Ending => _ending.Token;

    /// <summary>What still runs ends, and its clients are told.</summary>
    public Task EndAsync() => _ending.CancelAsync();

    /// <summary>Follows the API server, the replicas' metrics and the file of keys, until it is stopped.</summary>
    public void Start() => _running = Task.WhenAll(
        Replicas.RunAsync(_stop.Token), _scraper.RunAsync(_stop.Token), Gate.RunAsync(_stop.Token));

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose()
    {
        _stop.Dispose();
        _ending.Dispose();
        Connections.Dispose();
    }

    /// <summary>The deployments that a request is for.</summary>
    /// <param name="model">As the client calls it; null takes the only one there is.</param>
    /// <exception cref="GatewayException">No deployment serves it, or the key may not use it.</exception>
    public IReadOnlyList<ServingDeployment> RequireModel(string? model, ApiKeyAccount key) =>
        Replicas.Snapshot.OfModel(RequireModelName(model, key));

    /// <inheritdoc cref="RequireModel"/>
    public string RequireModelName(string? model, ApiKeyAccount key)
    {
        var snapshot = Replicas.Snapshot;
        List<string> usable = [.. snapshot.Models.Where(key.MayUse)];
        var known = usable.Count == 0 ? "there is none" : $"there are: {string.Join(", ", usable)}";
        if (model is null)
        {
            return usable is [var only]
                ? only
                : throw GatewayException.NotFound(
                    $"the request names no model (the field 'model', or the header X-Model); {known}", "model_not_found", "model");
        }

        // A key that may not use a model is told what it would be told of one that is not there.
        return usable.Contains(model)
            ? model
            : throw GatewayException.NotFound($"the model '{Shown(model)}' does not exist; {known}", "model_not_found", "model");
    }

    /// <summary>A request with everything that a worker would draw for it.</summary>
    public RelayedRequest NewRequest(string model, ApiKeyAccount key, RequestFacts facts, ReadOnlyMemory<byte> body)
    {
        var id = Guid.NewGuid().ToString("N");
        var isIsolated = Replicas.Snapshot.OfModel(model).Any(deployment => deployment.IsolatesCache);
        var salt = $"{model}\0{(isIsolated ? key.CacheIdentity : null)}\0{facts.CacheSalt}";
        return new RelayedRequest(
            new RequestEnvelope(
                id, Options.Time.GetUtcNow().ToUnixTimeSeconds(), Options.Random.Next(1, int.MaxValue), key.CacheIdentity),
            facts,
            body,
            new RouteRequest(
                model, key.Name, facts.Sequences, facts.PromptTokens, facts.MaxTokens, PromptBlocks.Hash(salt, facts.Prompt.Span)),
            new RequestTrace(this, new RequestId(id), model, key, facts.PromptTokens));
    }

    /// <summary>Brings the gauges up to date.</summary>
    public void Observe()
    {
        foreach (var queue in Dispatcher.Queues)
        {
            Metrics.Waiting.With(queue.Model).Set(queue.Waiting);
        }

        var snapshot = Replicas.Snapshot;
        foreach (var model in snapshot.Models)
        {
            var replicas = snapshot.OfModel(model).SelectMany(deployment => deployment.Replicas).ToList();
            var suspect = replicas.Count(replica => replica.Ready && States.Of(replica).IsSuspect);
            var ready = replicas.Count(replica => replica.Ready);
            Metrics.Running.With(model).Set(replicas.Sum(replica => States.Of(replica).InFlight));
            Metrics.Replicas.With(model, "ready").Set(ready - suspect);
            Metrics.Replicas.With(model, "suspect").Set(suspect);
            Metrics.Replicas.With(model, "unready").Set(replicas.Count - ready);
        }
    }

    /// <summary>What a client is told whose request does not finish in time.</summary>
    public static GatewayException Stopping() =>
        GatewayException.Unavailable("the gateway stops; send the request again");

    /// <summary>Why no replica answers, in the words of the deployments' conditions.</summary>
    public static string WhyNone(IReadOnlyList<ServingDeployment> deployments) =>
        deployments.Count == 0
            ? "the deployment is gone"
            : string.Join(
                "; ",
                deployments.Select(deployment => $"{deployment.Name} has no ready replica"
                    + (deployment.Trouble.Length > 0 ? $" ({deployment.Trouble})" : "")));

    /// <summary>What a caller sent, as far as it fits into a message.</summary>
    private static string Shown(string text) =>
        text.Length <= LongestShown ? text : string.Concat(text.AsSpan(0, LongestShown), "…");
}
