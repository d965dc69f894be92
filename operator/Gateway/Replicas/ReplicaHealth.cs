using System.Collections.Concurrent;
using Cluster.Operator.Gateway.Relay;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>Asks replicas themselves how they are. The API server tells late of a process that was killed, and never of one that was
/// stopped. Asked by the relays.</summary>
/// <param name="recovered">Told when a replica that was suspected is ready again.</param>
internal sealed class ReplicaHealth(
    ReplicaConnections connections, ReplicaStates states, ReplicaTable table, TimeProvider time, Action recovered,
    CancellationToken stopped)
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(250);

    private readonly ConcurrentDictionary<ReplicaIdentity, Task<bool>> _asked = new();

    /// <summary>Keeps new requests from it until it says that it is ready.</summary>
    public void Suspect(ServingReplica replica)
    {
        var state = states.Of(replica);
        lock (state)
        {
            if (state.IsSuspect)
            {
                return;
            }

            state.IsSuspect = true;
        }

        _ = RecoverAsync(replica, state);
    }

    /// <summary>Whether its process works on what it has: many requests that hear nothing of it ask together.</summary>
    public async Task<bool> IsAliveAsync(ServingReplica replica)
    {
        var asked = _asked.GetOrAdd(replica.Identity, _ => AnswersAsync(new Uri(replica.Http, "/health")));
        try
        {
            return await asked;
        }
        finally
        {
            _asked.TryRemove(new KeyValuePair<ReplicaIdentity, Task<bool>>(replica.Identity, asked));
        }
    }

    private async Task RecoverAsync(ServingReplica replica, ReplicaState state)
    {
        try
        {
            while (IsThere(replica) && !await AnswersAsync(new Uri(replica.Http, "/ready")))
            {
                await Task.Delay(BetweenTries, time, stopped);
            }
        }
        catch (OperationCanceledException)
        {
            return; // The gateway stops.
        }

        state.IsSuspect = false;
        recovered();
    }

    /// <summary>A life that is over never recovers.</summary>
    private bool IsThere(ServingReplica replica) => table.Snapshot.Replicas.Any(known => known.Identity == replica.Identity);

    private async Task<bool> AnswersAsync(Uri address)
    {
        using var late = new CancellationTokenSource(AnswerTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stopped);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            using var response = await connections.Http.SendAsync(request, either.Token);
            return response.IsSuccessStatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            stopped.ThrowIfCancellationRequested();
            return false;
        }
    }
}
