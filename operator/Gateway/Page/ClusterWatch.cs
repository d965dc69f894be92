using System.Text.Json;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Gateway.Page.Views;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s;
using k8s.Models;

namespace Cluster.Operator.Gateway.Page;

/// <summary>Follows the API server's objects for the page and keeps the view of them, as JSON, for all its readers at once. Called by
/// <see cref="PageEvents"/>; what it shows is made by <see cref="ClusterView"/>.</summary>
/// <remarks>It asks the API server for nothing until somebody opens the page: most gateways have no visitors.</remarks>
internal sealed class ClusterWatch : IAsyncDisposable
{
    private readonly Readiness _readiness = new();
    private readonly ChangeSignal _signal = new();
    private readonly Lock _gate = new();
    private readonly bool _mayKill;
    private readonly string? _namespace;
    private readonly Informer<ModelDeployment> _deployments;
    private readonly Informer<V1Pod> _pods;
    private readonly Informer<V1Node> _nodes;
    private readonly Informer<Corev1Event> _events;
    private readonly CancellationTokenSource _stop = new();
    private State _state = new(-1, [], 0, []);
    private Task? _following;

    /// <param name="namespace">Whose deployments are shown; null for all.</param>
    /// <param name="mayKill">Said to the page, which shows a button then.</param>
    public ClusterWatch(IKubernetesClient client, string? @namespace, bool mayKill, TimeProvider time, Random random, ILogger logger)
    {
        (_mayKill, _namespace) = (mayKill, @namespace);
        _deployments = Follow<ModelDeployment>(@namespace, new Selection(CachedFieldsOnly: true));

        // A gateway of one namespace may not be allowed to read the pods of others; the page says that their GPUs look free then.
        _pods = Follow<V1Pod>(@namespace, new Selection(WorkerServices.Selector, CachedFieldsOnly: true));
        _nodes = Follow<V1Node>(null, new Selection(CachedFieldsOnly: true));

        // What the operator says about deployments. Events of pods may be a whole cluster's, and what matters of them is in conditions.
        _events = Follow<Corev1Event>(
            @namespace, new Selection(FieldSelector: $"involvedObject.kind={ApiNames.Kind}", CachedFieldsOnly: true));

        Informer<T> Follow<T>(string? within, Selection selection)
            where T : class, IKubernetesObject<V1ObjectMeta>
        {
            Informer<T> informer = new(client, within, selection, time, random, logger, _readiness);
            informer.OnChange(_ => _signal.Raise());
            return informer;
        }
    }

    /// <summary>What the page has to be told anew when it differs from what it was told before.</summary>
    /// <param name="Number">Grows with every difference.</param>
    public sealed record View(long Number, ReadOnlyMemory<byte> Json);

    /// <summary>Somebody looks: from now on it follows the API server.</summary>
    public void Begin()
    {
        lock (_gate)
        {
            _following ??= Task.WhenAll(
                _deployments.RunAsync(_stop.Token), _pods.RunAsync(_stop.Token), _nodes.RunAsync(_stop.Token),
                _events.RunAsync(_stop.Token));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await (_following ?? Task.CompletedTask);
        _stop.Dispose();
    }

    /// <summary>Completes when something may have changed since the caller asked how often it had.</summary>
    public Task ChangedAsync(long seen) => _signal.AfterAsync(seen);

    public long Changes => _signal.Changes;

    /// <summary>A worker pod of this name exists.</summary>
    public bool HasReplica(NamespacedName pod) => _pods.Store.Get(pod) is not null;

    /// <summary>The state of now. Made when somebody asks, once for all who do.</summary>
    public View Current()
    {
        lock (_gate)
        {
            var changes = _signal.Changes;
            var problems = _readiness.Problems;
            if (_state.Changes != changes || !_state.Problems.SequenceEqual(problems))
            {
                var json = JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        MayKill = _mayKill,
                        Namespace = _namespace,
                        IsComplete = _deployments.HasSynced && _pods.HasSynced && _nodes.HasSynced,
                        Problems = problems,
                        Cluster = ClusterView.From(
                            _deployments.Store.List(), _pods.Store.List(), _nodes.Store.List(), _events.Store.List()),
                    },
                    PageJson.Options);
                var isNews = !json.AsSpan().SequenceEqual(_state.Json);
                _state = new State(changes, problems, _state.Number + (isNews ? 1 : 0), json);
            }

            return new View(_state.Number, _state.Json);
        }
    }

    private sealed record State(long Changes, IReadOnlyList<string> Problems, long Number, byte[] Json);
}
