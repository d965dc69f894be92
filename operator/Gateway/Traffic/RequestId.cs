namespace Cluster.Operator.Gateway.Traffic;

/// <summary>A request through this gateway. The same text is in the client's answer (<c>chatcmpl-…</c>), so that the page finds its own
/// request in the journal.</summary>
internal readonly record struct RequestId(string Value)
{
    public override string ToString() => Value;
}
