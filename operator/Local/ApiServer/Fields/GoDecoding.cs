namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>What Go's decoder says of a body.</summary>
/// <param name="Failure">Why the body cannot be read as the type, in Go's words; null when it can.</param>
/// <param name="UnknownFields">Paths of fields that the type does not have, such as <c>spec.containers[0].imagee</c>. They have been
/// dropped.</param>
internal sealed record GoDecoding(string? Failure, IReadOnlyList<string> UnknownFields);
