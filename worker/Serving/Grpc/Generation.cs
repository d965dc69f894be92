using System.Runtime.CompilerServices;
using Cluster.Worker.Engine;
using Grpc.Core;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>Runs a request on the engine for the gRPC services, which agree on how one may end.</summary>
internal static class Generation
{
    /// <summary>A request id that no other request has.</summary>
    /// <param name="prefix">What it begins with, to be found again in logs.</param>
    /// <param name="drawn">What the gateway has drawn for it; null draws here.</param>
    public static string DrawRequestId(string prefix = "grpc", string? drawn = null) => $"{prefix}-{drawn ?? Guid.NewGuid().ToString("N")}";

    /// <summary>The engine's outputs up to and including the one with a finish reason.</summary>
    /// <exception cref="RpcException">UNAVAILABLE when shutdown aborted the request.</exception>
    /// <exception cref="EngineUnavailableException">The outputs ended without a finish reason.</exception>
    public static async IAsyncEnumerable<TokenOutput> RunAsync(
        ServingState state,
        IEngine engine,
        GenerationRequest request,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var output in engine.GenerateAsync(request, cancellationToken))
        {
            if (output.FinishReason == FinishReason.Abort && state.IsDraining)
            {
                throw CallFailures.Error(StatusCode.Unavailable, "the worker shut down before the request was finished");
            }

            foreach (var part in request.TellsTextLengths ? output.OneByOne() : [output])
            {
                yield return part;
            }

            if (output.FinishReason is not null)
            {
                yield break;
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw new EngineUnavailableException($"the engine ended request '{request.RequestId}' without a finish reason");
    }
}
