using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Replicas;

namespace Cluster.Operator.Gateway.Routing;

/// <summary>The requests of one served name that wait for a replica, and the choice among its replicas. Safe for threads.</summary>
/// <param name="deployments">Those of this name now.</param>
internal sealed class ModelQueue(
    string model, GatewayOptions options, Func<IReadOnlyList<ServingDeployment>> deployments, ReplicaStates states)
{
    private readonly Lock _gate = new();
    private readonly FairQueue<Waiter> _waiting = new();
    private long? _lastRequest;
    private int _running;
    private uint _turn;

    public string Model => model;

    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count;
            }
        }
    }

    /// <summary>What the operator scales by, for one of the deployments: those who wait count for the first one that may start
    /// replicas.</summary>
    public QueueDemand DemandOf(ServingDeployment deployment)
    {
        lock (_gate)
        {
            var first = deployments().FirstOrDefault(d => d.IsWaking) ?? deployments().FirstOrDefault();
            var isFirst = first?.Name == deployment.Name;
            var waiting = isFirst ? _waiting.Items.ToList() : [];
            var replicas = deployment.Replicas.Select(states.Of).ToList();
            return new QueueDemand(
                waiting.Count,
                replicas.Sum(replica => replica.InFlight),
                replicas.Sum(replica => replica.Tokens) + waiting.Sum(waiter => waiter.Request.Cost),
                waiting.Count == 0 ? 0 : waiting.Max(waiter => options.Time.GetElapsedTime(waiter.Since).TotalSeconds),
                _running > 0 || _waiting.Count > 0 ? 0 : _lastRequest is { } last ? options.Time.GetElapsedTime(last).TotalSeconds : null);
        }
    }

    /// <summary>Whether a ready replica is left that has not failed this request.</summary>
    public bool HasOther(RouteRequest request)
    {
        lock (_gate)
        {
            return Usable(request).Any(replica => !states.Of(replica).IsSuspect);
        }
    }

    /// <param name="isMoving">It lost its replica: it goes before all that are new, and is never refused for the queue's length.</param>
    public async Task<ReplicaLease> AcquireAsync(RouteRequest request, bool isMoving, CancellationToken cancellationToken)
    {
        Waiter waiter;
        TimeSpan patience;
        lock (_gate)
        {
            _lastRequest = options.Time.GetTimestamp();
            if ((isMoving || _waiting.Count == 0) && TryTake(request) is { } lease)
            {
                return lease;
            }

            if (!isMoving)
            {
                RefuseHopeless();
            }

            patience = isMoving ? options.FailoverTimeout : AnyReady() ? options.QueueTimeout : options.ColdStartTimeout;
            waiter = new Waiter(request, options.Time.GetTimestamp());
            if (isMoving)
            {
                _waiting.AddFirst(waiter);
            }
            else
            {
                _waiting.Add(request.Flow, request.Cost, waiter);
            }

            // Those before it may wait for replicas that this one does not need.
            Pump();
        }

        using var late = new CancellationTokenSource(patience, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        await using (either.Token.Register(() => Leave(waiter)))
        {
            if (await waiter.Taken.Task is { } lease)
            {
                return lease;
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw IsStranded(request) ? Stranded() : TooLate(isMoving, patience);
    }

    /// <summary>Gives replicas to those who wait, in their order. One who cannot use what is free lets the next one pass.</summary>
    public void Pump()
    {
        lock (_gate)
        {
            foreach (var waiter in _waiting.Items.Where(waiter => IsStranded(waiter.Request)).ToList())
            {
                Leave(waiter);
            }

            while (_waiting.Count > 0 && AnyRoom() && PumpOne())
            {
            }
        }
    }

    private bool PumpOne()
    {
        foreach (var waiter in _waiting.Items)
        {
            if (TryTake(waiter.Request) is { } lease)
            {
                _waiting.Remove(waiter, served: true);
                waiter.Taken.SetResult(lease);
                return true;
            }
        }

        return false;
    }

    private void Leave(Waiter waiter)
    {
        lock (_gate)
        {
            if (_waiting.Remove(waiter, served: false))
            {
                waiter.Taken.SetResult(null);
            }
        }
    }

    /// <exception cref="GatewayException">Waiting would be in vain.</exception>
    private void RefuseHopeless()
    {
        if (_waiting.Count >= options.MaxQueue)
        {
            throw GatewayException.TooMany(
                $"{_waiting.Count} requests for '{model}' wait already; the most is {options.MaxQueue} (--max-queue)", "queue_full",
                OldestWait());
        }

        if (!AnyReady() && !deployments().Any(deployment => deployment.IsWaking))
        {
            throw GatewayException.Unavailable($"{GatewayServices.WhyNone(deployments())}, and none is wanted: its replicas are 0");
        }
    }

    /// <summary>Whether the deployment has been rolled out anew under an answer, so that nobody can go on with it.</summary>
    private bool IsStranded(RouteRequest request)
    {
        if (request.Deployment is null)
        {
            return false;
        }

        var replicas = deployments().SelectMany(deployment => deployment.Replicas).ToList();
        return replicas.Count > 0 && !replicas.Exists(request.IsLike);
    }

    private static GatewayException Stranded() => GatewayException.Unavailable(
        "the deployment was changed while it answered, and no replica is left that could go on as the one before; send the request again");

    private GatewayException TooLate(bool isMoving, TimeSpan patience)
    {
        var ready = AnyReady();
        var why = ready
            ? "all replicas are busy, or have failed this request"
            : GatewayServices.WhyNone(deployments());
        return GatewayException.Unavailable(
            $"no replica of '{model}' was free within {patience.TotalSeconds:0.###} s{(isMoving ? " after the one before was lost" : "")}: "
            + why,
            ready ? OldestWait() : TimeSpan.FromSeconds(10));
    }

    /// <summary>Who comes now waits about as long as who came first has.</summary>
    private TimeSpan OldestWait()
    {
        lock (_gate)
        {
            var oldest = _waiting.Items.Select(waiter => options.Time.GetElapsedTime(waiter.Since)).DefaultIfEmpty().Max();
            return oldest < TimeSpan.FromSeconds(1) ? TimeSpan.FromSeconds(1) : oldest;
        }
    }

    private bool AnyReady() => deployments().Any(deployment => deployment.ReadyReplicas > 0);

    private bool AnyRoom() => deployments().Any(
        deployment => deployment.Replicas.Any(replica => replica.Ready && HasRoom(deployment, replica, sequences: 1)));

    private bool HasRoom(ServingDeployment deployment, ServingReplica replica, int sequences)
    {
        var state = states.Of(replica);
        return !state.IsSuspect && (state.InFlight == 0 || state.InFlight + sequences <= deployment.SlotsPerReplica);
    }

    private IEnumerable<ServingReplica> Usable(RouteRequest request) => deployments()
        .Where(deployment => IsRight(request, deployment))
        .SelectMany(deployment => deployment.Replicas)
        .Where(replica => replica.Ready && request.IsFor(replica));

    /// <summary>Who has begun an answer goes on with it, even where new requests go elsewhere.</summary>
    private static bool IsRight(RouteRequest request, ServingDeployment deployment) =>
        request.Deployment is { } begun ? begun == deployment.Name : deployment.Weight is not 0;

    private ReplicaLease? TryTake(RouteRequest request)
    {
        var free = new List<(ServingDeployment Deployment, List<ServingReplica> Replicas)>();
        foreach (var deployment in deployments())
        {
            if (IsRight(request, deployment))
            {
                var replicas = deployment.Replicas
                    .Where(replica => replica.Ready && request.IsFor(replica))
                    .Where(replica => HasRoom(deployment, replica, request.Sequences))
                    .ToList();
                if (replicas.Count > 0)
                {
                    free.Add((deployment, replicas));
                }
            }
        }

        return free.Count == 0 ? null : Take(request, free.Count == 1 ? free[0] : Draw(free));
    }

    /// <summary>Among deployments of one name, each gets its share.</summary>
    private (ServingDeployment Deployment, List<ServingReplica> Replicas) Draw(
        List<(ServingDeployment Deployment, List<ServingReplica> Replicas)> free)
    {
        var left = options.Random.NextDouble() * free.Sum(f => WeightOf(f.Deployment));
        foreach (var one in free)
        {
            left -= WeightOf(one.Deployment);
            if (left < 0)
            {
                return one;
            }
        }

        return free[^1];
    }

    private static double WeightOf(ServingDeployment deployment) => deployment.Weight ?? deployment.ReadyReplicas;

    private ReplicaLease Take(RouteRequest request, (ServingDeployment Deployment, List<ServingReplica> Replicas) from)
    {
        var choices = new ReplicaOption[from.Replicas.Count];
        for (var i = 0; i < choices.Length; i++)
        {
            var state = states.Of(from.Replicas[i]);
            var foreign = state.ForeignRequests;
            choices[i] = new ReplicaOption(
                state.Hash, state.InFlight + foreign, state.Tokens + (foreign * request.Cost), state.Prefixes.Match(request.Blocks));
        }

        var chosen = ReplicaChoice.Choose(
            options.Routing, choices, request.Cost, request.Blocks.Length > 0 ? request.Blocks[0] : 0, _turn++);
        var replica = from.Replicas[chosen];
        var taken = states.Of(replica);
        taken.Enter(request.Sequences, request.Cost);
        taken.Prefixes.Add(request.Blocks);
        _running++;
        return new ReplicaLease(from.Deployment, replica, taken, request, choices[chosen].Matched, Released);
    }

    private void Released()
    {
        lock (_gate)
        {
            _running--;
            _lastRequest = options.Time.GetTimestamp();
        }

        Pump();
    }

    private sealed record Waiter(RouteRequest Request, long Since)
    {
        public TaskCompletionSource<ReplicaLease?> Taken { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>How much is asked of a deployment.</summary>
/// <param name="SecondsSinceLastRequest">Null when there was none since this gateway started.</param>
internal sealed record QueueDemand(
    int Queued, int Running, long OutstandingTokens, double OldestQueuedSeconds, double? SecondsSinceLastRequest)
{
    public static QueueDemand None { get; } = new(0, 0, 0, 0, null);
}
