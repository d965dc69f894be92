using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Models.Parallel;

public class RankSetupTests
{
    internal static readonly RankSetup Example = new(
        SharedMemoryOptions.ThisBuild, 1, 2, "group", 30, "/models/haiku", "cpu", 1, 1L << 30,
        new ModelRunnerOptions { MaxModelLength = 7, KvCacheDType = DType.F8E5M2, GpuMemoryUtilization = 0.45 });

    [Fact]
    public void Comes_out_of_a_line_as_it_went_in()
    {
        var line = Example.ToJson();

        Assert.DoesNotContain('\n', line);
        Assert.Equal(Example, RankSetup.Parse(line));
    }

    [Fact]
    public void Another_build_is_refused_by_both_names_whatever_else_it_says()
    {
        var error = Assert.Throws<FormatException>(() => RankSetup.Parse("""{"Version":"9.9.9+abc","Rank":"no number there"}"""));

        Assert.Equal(
            $"this is build {SharedMemoryOptions.ThisBuild} and rank 0 is 9.9.9+abc; all ranks must be of one build", error.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("serve")]
    [InlineData("[1,2]")]
    [InlineData("{\"Version\":{}}")]
    [InlineData("null")]
    public void What_is_no_setup_is_refused(string line) => Assert.Throws<FormatException>(() => RankSetup.Parse(line));
}
