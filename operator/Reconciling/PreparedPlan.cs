using System.Text.Json.Nodes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>A plan whose GPUs are reserved, with the pods to create.</summary>
internal sealed record PreparedPlan(Plan Plan, IReadOnlyList<NewPod> NewPods);

/// <summary>A pod that is not on the server yet.</summary>
/// <param name="Manifest">What to send.</param>
/// <param name="Pod">The same, typed.</param>
internal sealed record NewPod(JsonObject Manifest, V1Pod Pod);
