using System.Runtime.CompilerServices;
using Cluster.Worker.Protos.Health;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Protos.Vllm;
using Cluster.Worker.Serving.Grpc.Framing;
using HealthCheckRequest = Cluster.Worker.Protos.Health.HealthCheckRequest;
using HealthCheckResponse = Cluster.Worker.Protos.Health.HealthCheckResponse;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;
using ServingStatus = Cluster.Worker.Protos.Health.HealthCheckResponse.Types.ServingStatus;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary><c>grpc.health.v1.Health</c>. <c>liveness</c> serves as long as the process answers and its model can be computed; <c>readiness</c>, the server as a whole (empty name)
/// and the services that need the model serve while <see cref="ServingState.IsReady"/>.</summary>
/// <param name="stopping">Ends watches when the server stops, which would otherwise wait for them.</param>
internal sealed class HealthService(ServingState state, CancellationToken stopping)
{
    private static readonly ServiceDescriptor Descriptor = HealthReflection.Descriptor.FindTypeByName<ServiceDescriptor>("Health");

    private static readonly HashSet<string> AlwaysServing = ["liveness", Descriptor.FullName];

    private static readonly HashSet<string> ServingWhenReady =
    [
        "",
        "readiness",
        .. TextGenerationReflection.Descriptor.Services.Select(service => service.FullName),
        .. VllmEngineReflection.Descriptor.Services.Select(service => service.FullName),
    ];

    public GrpcService Bind() => new GrpcService(Descriptor)
        .Unary<HealthCheckRequest, HealthCheckResponse>("Check", (request, _) => Task.FromResult(Check(request)))
        .ServerStreaming<HealthCheckRequest, HealthCheckResponse>("Watch", (request, call) => WatchAsync(request, call.CancellationToken));

    private HealthCheckResponse Check(HealthCheckRequest request) => Status(request.Service) switch
    {
        ServingStatus.ServiceUnknown => throw new GrpcException(StatusCode.NotFound, $"service '{request.Service}' is not known here"),
        var status => new HealthCheckResponse { Status = status },
    };

    private async IAsyncEnumerable<HealthCheckResponse> WatchAsync(HealthCheckRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping);
        ServingStatus? last = null;
        while (true)
        {
            // Taken before the status is read: a change in between ends the wait at once.
            var changed = state.Changed;
            var status = Status(request.Service);
            if (status != last)
            {
                yield return new HealthCheckResponse { Status = status };
                last = status;
            }

            await changed.WaitAsync(ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            if (stopping.IsCancellationRequested)
            {
                break;
            }
        }

        if (last == ServingStatus.Serving)
        {
            yield return new HealthCheckResponse { Status = ServingStatus.NotServing };
        }

        throw new GrpcException(StatusCode.Unavailable, "the worker is shutting down");
    }

    private ServingStatus Status(string service)
    {
        if (AlwaysServing.Contains(service))
        {
            return state.Failure is null ? ServingStatus.Serving : ServingStatus.NotServing;
        }

        if (!ServingWhenReady.Contains(service))
        {
            return ServingStatus.ServiceUnknown;
        }

        return state.IsReady ? ServingStatus.Serving : ServingStatus.NotServing;
    }
}
