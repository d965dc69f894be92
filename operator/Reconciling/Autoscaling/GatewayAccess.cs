namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>How the operator gets at gateways. Given on the command line of <c>run</c>, and by local mode.</summary>
/// <param name="MasterKey">What operator and gateways share, see <see cref="Api.GatewayKey"/>.</param>
internal sealed record GatewayAccess(byte[] MasterKey)
{
    /// <summary>Base addresses of gateways' internal ports. Where none is given, the pods of <see cref="Namespace"/> that are gateways are
    /// asked.</summary>
    public IReadOnlyList<Uri> Urls { get; init; } = [];

    /// <summary>The operator's own namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Internal port of gateways that are pods.</summary>
    public int Port { get; init; } = DefaultPort;

    public const int DefaultPort = 8081;
}
