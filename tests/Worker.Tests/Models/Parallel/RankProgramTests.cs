using Cluster.Worker.Models.Parallel;

namespace Cluster.Worker.Tests.Models.Parallel;

public sealed class RankProgramTests
{
    private const string Assembly = "/app/cluster-worker.dll";

    [Theory]
    [InlineData("/app/cluster-worker", "cluster-worker", "/app/cluster-worker rank")]
    [InlineData("/bench/Benchmarks", "Benchmarks", "/app/cluster-worker rank")]
    [InlineData("/tests/Worker.Tests", "Worker.Tests", "/app/cluster-worker rank")]
    [InlineData("/opt/newer/dotnet", "cluster-worker", "/opt/newer/dotnet exec /app/cluster-worker.dll rank")]
    [InlineData("/usr/bin/dotnet", "Benchmarks", "/usr/bin/dotnet exec /app/cluster-worker.dll rank")]
    public void A_rank_is_started_as_its_leader_was(string process, string entry, string expected) =>
        Assert.Equal(expected, Text(RankProgram.Of(Assembly, process, entry, _ => true)));

    [Fact]
    public void Without_a_program_of_its_own_the_assembly_is_run() => Assert.Equal(
        "dotnet exec /app/cluster-worker.dll rank", Text(RankProgram.Of(Assembly, "/bench/Benchmarks", "Benchmarks", _ => false)));

    [Fact]
    public void A_single_file_is_started_again() =>
        Assert.Equal("/app/worker rank", Text(RankProgram.Of("", "/app/worker", "cluster-worker", _ => true)));

    private static string Text(RankProgram program) => string.Join(' ', [program.Path, .. program.Arguments]);
}
