namespace Cluster.Operator.Api;

/// <summary>How the gateway shares requests among deployments of one served name.</summary>
internal sealed class RoutingSpec
{
    public const int MostWeight = 1000;

    [Schema(
        "Share of the requests for the served name that this deployment gets, relative to the weights of the others that have the same "
        + "name: 95 and 5 make a canary, 0 gets none. Default: the number of its ready replicas.", Minimum = 0, Maximum = MostWeight)]
    public int? Weight { get; set; }
}
