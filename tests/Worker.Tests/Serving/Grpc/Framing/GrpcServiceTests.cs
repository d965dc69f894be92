using Cluster.Worker.Protos.Health;
using Cluster.Worker.Serving.Grpc.Framing;
using Xunit;

namespace Cluster.Worker.Tests.Serving.Grpc.Framing;

public sealed class GrpcServiceTests
{
    private readonly GrpcService service = new(HealthReflection.Descriptor.Services[0]);

    [Fact]
    public void A_method_without_handler_is_found_at_start()
    {
        service.Unary<HealthCheckRequest, HealthCheckResponse>("Check", (_, _) => Task.FromResult(new HealthCheckResponse()));

        Assert.Contains("grpc.health.v1.Health.Watch", Assert.Throws<InvalidOperationException>(() => service.Methods).Message);
    }

    [Fact]
    public void A_handler_of_another_shape_than_the_descriptor_is_refused()
    {
        Assert.Throws<InvalidOperationException>(() =>
            service.Unary<HealthCheckResponse, HealthCheckResponse>("Check", (request, _) => Task.FromResult(request)));
        Assert.Throws<InvalidOperationException>(() =>
            service.Unary<HealthCheckRequest, HealthCheckResponse>("Watch", (_, _) => Task.FromResult(new HealthCheckResponse())));
        Assert.Throws<InvalidOperationException>(() =>
            service.Unary<HealthCheckRequest, HealthCheckResponse>("List", (_, _) => Task.FromResult(new HealthCheckResponse())));
    }
}
