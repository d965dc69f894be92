using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Models.Parallel;

namespace Cluster.Worker.Tests.Models.Parallel;

public sealed class RankFailureTests
{
    public static TheoryData<Exception> Failures =>
    [
        new DeviceLostException("device failed"), new KernelBuildException("device failed"), new InsufficientMemoryException("device failed"),
        new NotSupportedException("device failed"),
    ];

    [Theory, MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public void A_device_that_fails_a_rank_is_reported_to_the_rank_that_serves(Exception failure)
    {
        var output = new StringWriter();
        var session = new RankSession(new StringReader(RankSetupTests.Example.ToJson()), output, _ => { }, () => { });

        var exitCode = session.Run(_ => throw failure, (_, _) => throw new InvalidOperationException("never joined"));

        Assert.Equal(1, exitCode);
        Assert.Equal("device failed", RankReport.Parse(output.ToString()).Failure);
    }
}
