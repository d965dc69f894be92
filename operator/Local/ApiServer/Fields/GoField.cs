namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>A field of a struct.</summary>
/// <param name="Member">Where it is described: <c>V1PodSpec.Containers</c>.</param>
internal sealed record GoField(string Name, GoType Type, bool IsRequired, string Member);
