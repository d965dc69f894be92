using System.Collections.Concurrent;
using System.Text.Json;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>Asks every gateway what clients want of each deployment, and adds it up.</summary>
/// <param name="read">GET with the demand key: the body of an answer with status 200; throws otherwise.</param>
/// <param name="gateways">Name and internal address of each gateway.</param>
internal sealed class GatewayDemand(
    Func<Uri, CancellationToken, Task<string>> read, Func<IReadOnlyList<(string Name, Uri Address)>> gateways, TimeProvider time)
    : IDemandSource
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    /// <summary>An answer stands in for one that is missing for so long: a single lost packet must not begin scaleDownAfter anew.</summary>
    private static readonly TimeSpan Lasting = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Uri, (long At, IReadOnlyDictionary<NamespacedName, Demand> Answer)> _last = new();

    /// <param name="client">From <see cref="WorkerLoads.CreateClient"/>; used for all requests.</param>
    public static GatewayDemand Over(HttpClient client, GatewayAccess access, GatewayPods pods, TimeProvider time)
    {
        var key = GatewayKey.DeriveDemand(access.MasterKey);
        return new GatewayDemand(
            async (uri, cancellationToken) =>
            {
                using HttpRequestMessage request = new(HttpMethod.Get, uri);
                request.Headers.Add(GatewayKey.Header, key);
                using var answer = await client.SendAsync(request, cancellationToken);
                answer.EnsureSuccessStatusCode();
                return await answer.Content.ReadAsStringAsync(cancellationToken);
            },
            () => access.Urls.Count > 0
                ? [.. access.Urls.Select(url => (url.ToString(), url))]
                : [.. pods.Serving().Select(pod => (pod.Name, new UriBuilder("http", pod.Address, access.Port).Uri))],
            time);
    }

    public async Task<IReadOnlyDictionary<NamespacedName, Demand>> ReadAsync(
        IReadOnlyCollection<NamespacedName> deployments, CancellationToken cancellationToken)
    {
        var all = gateways();
        foreach (var gone in _last.Keys.Except(all.Select(g => g.Address)).ToList())
        {
            _last.TryRemove(gone, out _);
        }

        if (all.Count == 0)
        {
            return deployments.ToDictionary(d => d, _ => Demand.Unknown("there is no gateway"));
        }

        using CancellationTokenSource late = new(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        var answers = await Task.WhenAll(all.Select(async g => (g.Name, Answer: await AskAsync(g.Address, either.Token))));
        cancellationToken.ThrowIfCancellationRequested();
        return deployments.ToDictionary(deployment => deployment, deployment => answers.Aggregate(
            Demand.None,
            (sum, one) => sum + (one.Answer is null ? Demand.Unknown($"gateway {one.Name} does not answer")
                : one.Answer.TryGetValue(deployment, out var demand) ? demand
                : Demand.Unknown($"gateway {one.Name} does not know this deployment"))));
    }

    private async Task<IReadOnlyDictionary<NamespacedName, Demand>?> AskAsync(Uri gateway, CancellationToken cancellationToken)
    {
        try
        {
            var answer = DemandAnswer.Read(await read(new Uri(gateway, "internal/demand"), cancellationToken));
            _last[gateway] = (time.GetTimestamp(), answer);
            return answer;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or JsonException
            or InvalidOperationException)
        {
            return _last.TryGetValue(gateway, out var last) && time.GetElapsedTime(last.At) <= Lasting ? last.Answer : null;
        }
    }
}
