using System.Text.Json.Nodes;

namespace Cluster.Operator.Reconciling;

/// <summary>A plan whose GPUs are reserved, with the manifest of each pod to create.</summary>
internal sealed record PreparedPlan(Plan Plan, IReadOnlyList<JsonObject> NewPods);
