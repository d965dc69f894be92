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

    [Theory]
    [InlineData("/app/sample", "dotnet")]
    [InlineData("/usr/bin/dotnet", "/usr/bin/dotnet")]
    public void In_a_program_that_has_the_worker_as_a_library_a_rank_has_the_programs_configuration(string process, string host) =>
        Assert.Equal(
            $"{host} exec --runtimeconfig /app/sample.runtimeconfig.json --depsfile /app/sample.deps.json /app/cluster-worker.dll rank",
            Text(RankProgram.Of(Assembly, process, "sample", file => file == "/app/sample.runtimeconfig.json")));

    [Fact]
    public void A_single_file_is_started_again() =>
        Assert.Equal("/app/worker rank", Text(RankProgram.Of("", "/app/worker", "cluster-worker", _ => true)));

    private static string Text(RankProgram program) => string.Join(' ', [program.Path, .. program.Arguments]);
}
