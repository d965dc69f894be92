using Cluster.Operator.Local.ApiServer.Routing;

namespace Cluster.Operator.Local.ApiServer;

/// <summary>How <see cref="LocalApiServer"/> runs.</summary>
internal sealed record LocalApiServerOptions
{
    /// <summary>TCP port on 127.0.0.1; 0 takes any free one.</summary>
    public int Port { get; init; }

    /// <summary>Serves <c>kubectl logs</c>; null answers that there is no node.</summary>
    public IPodLogSource? PodLogs { get; init; }

    /// <summary>Serves <c>kubectl exec</c> and <c>cp</c>; null answers that there is no node.</summary>
    public IPodSessions? PodSessions { get; init; }

    /// <summary>Told of every request for a resource once its answer's status is known, from the request's own thread; null for
    /// nobody.</summary>
    public Action<AuditedRequest>? Audit { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Changes remembered for each resource: how far back a watch or a paged list can reach.</summary>
    public int HistoryLimit { get; init; } = 4096;

    /// <summary>A real server takes bodies of up to 3 MiB.</summary>
    public long BodyLimitBytes { get; init; } = 3 * 1024 * 1024;

    /// <summary>Names that it may be asked under, besides its own.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    public TimeSpan BookmarkInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Do what kube-controller-manager does beside garbage collection and disruption budgets: default ServiceAccounts, the
    /// authority's ConfigMap, EndpointSlices. Off, it is a bare kube-apiserver in that.</summary>
    public bool FillsNamespaces { get; init; }

    /// <summary>Namespaces that are there from the start.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = ["default", "kube-system"];
}
