using Grpc.Core;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>What gRPC services ask <see cref="ServingState"/> before they work.</summary>
internal static class Readiness
{
    /// <summary>Why this worker takes no new requests; null when it does.</summary>
    public static string? WhyNotReady(this ServingState state) => state switch
    {
        { Failure: { } reason } => reason,
        { WrongResults: { } deviation } => $"the worker computes wrong results and takes no new requests: {deviation}",
        { IsDraining: true } => "the worker is shutting down and takes no new requests",
        { Model: null } => "the model is still loading",
        _ => null,
    };

    /// <summary>The model, for new work.</summary>
    /// <exception cref="RpcException">UNAVAILABLE while the model loads and while the worker drains.</exception>
    public static ServedModel RequireReady(this ServingState state) =>
        state.WhyNotReady() is { } reason ? throw CallFailures.Error(StatusCode.Unavailable, reason) : state.RequireLoaded();

    /// <summary>The model, for questions and for work that is already running.</summary>
    /// <exception cref="RpcException">UNAVAILABLE while the model loads.</exception>
    public static ServedModel RequireLoaded(this ServingState state) =>
        state.Model ?? throw CallFailures.Error(StatusCode.Unavailable, "the model is still loading");
}
