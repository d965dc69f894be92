namespace Cluster.Worker.Serving.Limits;

/// <summary>There is no room for this request's body now; later there may be.</summary>
internal sealed class BodyBudgetException(string message) : Exception(message);
