namespace Cluster.Worker.Serving.Http;

/// <summary>The body of <c>/ready</c>: for people, and for the operator, which asks a worker that has stopped being ready.</summary>
/// <param name="Status">One word.</param>
/// <param name="Devices">What each rank computes on; null while the model loads.</param>
/// <param name="Reason">Why it is not ready, in CamelCase as conditions have it; null when it is.</param>
/// <param name="Message">The same for a person.</param>
internal sealed record ReadyResponse(string Status, IReadOnlyList<string>? Devices, string? Reason, string? Message)
{
    public static ReadyResponse Of(ServingState state, WorkerHealth health)
    {
        var (status, reason, message) = state switch
        {
            { Failure: { } failure } => ("failed", "Failed", failure),
            { WrongResults: { } deviation } => ("wrong-results", WorkerReasons.WrongResults, deviation),
            { IsDraining: true } => ("draining", "Draining", "the worker is shutting down"),
            { IsReady: false } => ("loading", "Loading", "the model is still loading"),
            _ when health.Problem is { } problem => ("stalled", "Stalled", problem),
            _ => ("ready", (string?)null, (string?)null),
        };
        return new ReadyResponse(status, state.Model?.DeviceIds, reason, message);
    }
}
