using Cluster.Operator.Local;

namespace Cluster.Operator.Tests.Local;

public sealed class WorkerProgramTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public WorkerProgramTests()
    {
        foreach (var name in (string[])["cluster-worker", "cluster-worker.dll", "dotnet"])
        {
            File.WriteAllText(PathOf(name), "");
        }
    }

    [Fact]
    public void A_program_is_run_as_it_is_and_a_library_by_dotnet()
    {
        Assert.Equal((PathOf("cluster-worker"), ""), Read(WorkerProgram.Resolve(PathOf("cluster-worker"))));
        Assert.Equal(("dotnet", PathOf("cluster-worker.dll")), Read(WorkerProgram.Resolve(PathOf("cluster-worker.dll"))));
    }

    [Theory]
    [InlineData("cluster-worker")]
    [InlineData("cluster-worker.dll")]
    public void A_host_runs_the_library_beside_the_program(string worker) => Assert.Equal(
        (PathOf("dotnet"), $"exec {PathOf("cluster-worker.dll")}"), Read(WorkerProgram.Resolve(PathOf(worker), PathOf("dotnet"))));

    [Fact]
    public void A_host_that_is_not_there_is_named_with_what_names_it()
    {
        var missing = Assert.Throws<FileNotFoundException>(() => WorkerProgram.Resolve(PathOf("cluster-worker"), PathOf("none")));

        Assert.Equal($"no host at {PathOf("none")}: --worker-host and CLUSTER_WORKER_HOST name a file like dotnet", missing.Message);
    }

    [Fact]
    public void Every_worker_is_told_the_device_but_for_one_whose_pod_says_another()
    {
        var program = new WorkerProgram("host", ["exec", "worker.dll"], "opencl");

        Assert.Equal("exec worker.dll serve --model m --device opencl", string.Join(' ', program.Arguments(["serve", "--model", "m"])));
        Assert.Equal("exec worker.dll serve --device cpu", string.Join(' ', program.Arguments(["serve", "--device", "cpu"])));
        Assert.Equal("exec worker.dll serve --device=cpu", string.Join(' ', program.Arguments(["serve", "--device=cpu"])));
        Assert.Equal("exec worker.dll fetch hf://a/b", string.Join(' ', program.Arguments(["fetch", "hf://a/b"])));
    }

    public void Dispose() => _folder.Dispose();

    private static (string Path, string First) Read(WorkerProgram program) => (program.Path, string.Join(' ', program.First));

    private string PathOf(string name) => Path.Combine(_folder.Path, name);
}
