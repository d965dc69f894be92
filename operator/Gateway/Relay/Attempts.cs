using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Routing;
using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>
/// Sends a request to replicas until one has answered it to the end:
/// <code>
/// 1. a replica is chosen, or waited for
/// 2. the attempt: it answers, or throws AttemptFailedException
/// 3. failed → the replica is not asked again in this life; lost ones get no new requests until they say that they are ready
/// 4. another one takes over from what the client has; a bounded number of times
/// 5. none is left → GatewayException, with what the last one said
/// </code>
/// Used by both relays.</summary>
internal static class Attempts
{
    /// <param name="attempt">Throws <see cref="AttemptFailedException"/> when another replica shall go on.</param>
    /// <exception cref="GatewayException">No replica could answer.</exception>
    /// <exception cref="AttemptFailedException">No other replica is left, and the last one said why it could not answer.</exception>
    public static async Task RunAsync(
        GatewayServices services, RelayedRequest request, Func<ReplicaLease, Task> attempt, CancellationToken cancellationToken)
    {
        var outcome = RequestOutcome.Failed;
        FailureReason? why = null;
        try
        {
            for (var tries = 0; ; tries++)
            {
                using var lease = await AcquireAsync(services, request, why, cancellationToken);
                request.Trace.Sent(lease, request.Route, why, request.Progress.HasBegun);
                try
                {
                    await attempt(lease);
                    outcome = RequestOutcome.Completed;
                    return;
                }
                catch (AttemptFailedException failed) when (!cancellationToken.IsCancellationRequested)
                {
                    Note(services, request, lease, failed.Reason);
                    why = failed.Reason;
                    if (tries >= services.Options.MaxRetries || (!failed.Reason.IsLost && !services.Dispatcher.HasOther(request.Route)))
                    {
                        throw;
                    }
                }
            }
        }
        catch (GatewayException) when (why is null)
        {
            outcome = RequestOutcome.Rejected;
            throw;
        }
        catch (OperationCanceledException)
        {
            outcome = RequestOutcome.Cancelled;
            throw;
        }
        finally
        {
            request.Trace.Ended(outcome);
        }
    }

    private static async Task<ReplicaLease> AcquireAsync(
        GatewayServices services, RelayedRequest request, FailureReason? why, CancellationToken cancellationToken)
    {
        if (why is null)
        {
            return await services.Dispatcher.AcquireAsync(request.Route, cancellationToken);
        }

        try
        {
            return await services.Dispatcher.MoveAsync(request.Route, cancellationToken);
        }
        catch (GatewayException none)
        {
            throw new GatewayException(none.Status, $"{none.Message} (the last one: {why.Value.Text})", none.Type, code: none.Code)
            {
                RetryAfter = none.RetryAfter
            };
        }
    }

    private static void Note(GatewayServices services, RelayedRequest request, ReplicaLease lease, FailureReason reason)
    {
        var route = request.Route;
        route.HasFailed(lease.Replica.Identity);
        if (request.Progress.HasBegun)
        {
            route.HasBegun(lease.Replica);
        }

        if (reason.IsLost)
        {
            services.Health.Suspect(lease.Replica);
        }

        services.Log.LogWarning(
            "Request {Id} of {Model} leaves replica {Replica} after {Tokens} tokens: {Reason}",
            request.Envelope.Id, route.Model, lease.Replica.Name, request.Progress.Tokens, reason.Text);
    }
}
