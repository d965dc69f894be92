using Cluster.Worker.Protos.V1;
using Cluster.Worker.Protos.Vllm;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using HealthCheckRequest = Grpc.Health.V1.HealthCheckRequest;
using HealthCheckResponse = Grpc.Health.V1.HealthCheckResponse;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary>What <c>grpc.health.v1.Health</c> tells. <c>liveness</c> serves as long as the process answers and its model can be computed;
/// <c>readiness</c>, the server as a whole (empty name) and the services that need the model serve while
/// <see cref="WorkerHealth.IsReady"/>.</summary>
internal sealed class HealthService : HealthServiceImpl
{
    private static readonly string[] AlwaysServing = ["liveness", Health.Descriptor.FullName];
    private static readonly string[] ServingWhenReady =
        ["", "readiness", TextGeneration.Descriptor.FullName, VllmEngine.Descriptor.FullName];

    /// <summary>How often a watcher's answer is looked at again for what nobody announces.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(5);

    private readonly WorkerHealth _health;
    private readonly ITimer _look;
    private readonly CancellationToken _stopping;
    private readonly Lock _gate = new();

    public HealthService(ServingState state, WorkerHealth health, TimeProvider time, IHostApplicationLifetime lifetime)
    {
        _health = health;
        _stopping = lifetime.ApplicationStopping;
        state.Changed += Report;
        _look = time.CreateTimer(_ => Report(), null, LookInterval, LookInterval);
        _stopping.Register(_look.Dispose);
        Report();
    }

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        Report();
        return AlwaysServing.Contains(request.Service) || ServingWhenReady.Contains(request.Service)
            ? base.Check(request, context)
            : throw CallFailures.Error(StatusCode.NotFound, $"service '{request.Service}' is not known here");
    }

    /// <remarks>The library cancels the call's token when the server stops, which would otherwise wait for every watcher, and would then
    /// end the watch with OK. UNAVAILABLE tells the watcher to look elsewhere.</remarks>
    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        await base.Watch(request, responseStream, context);
        if (!_stopping.IsCancellationRequested)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
        }

        if (AlwaysServing.Contains(request.Service)
            ? _health.Problem is null
            : ServingWhenReady.Contains(request.Service) && _health.IsReady)
        {
            await responseStream.WriteAsync(new HealthCheckResponse { Status = ServingStatus.NotServing });
        }

        throw CallFailures.Error(StatusCode.Unavailable, "the worker is shutting down");
    }

    private void Report()
    {
        // Two changes at once: the later of the reports tells the state after both.
        lock (_gate)
        {
            SetAll(AlwaysServing, _health.Problem is null);
            SetAll(ServingWhenReady, _health.IsReady);
        }

        void SetAll(string[] services, bool serving)
        {
            foreach (var service in services)
            {
                SetStatus(service, serving ? ServingStatus.Serving : ServingStatus.NotServing);
            }
        }
    }
}
