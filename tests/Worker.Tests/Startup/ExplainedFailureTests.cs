using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Engine;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Startup;

public sealed class ExplainedFailureTests
{
    [Fact]
    public void What_users_can_act_on_needs_no_stack_trace()
    {
        Exception[] told =
        [
            new StartupException("x"), new RankLostException("x"), new DeviceLostException("x"), new KernelBuildException("x"),
            new InsufficientMemoryException("x"), new EngineUnavailableException("x"), new NotSupportedException("x"),
        ];

        Assert.All(told, exception => Assert.True(ExplainedFailure.Is(exception)));
    }

    [Fact]
    public void A_mistake_of_ours_keeps_its_stack_trace() => Assert.False(ExplainedFailure.Is(new InvalidCastException("x")));
}
