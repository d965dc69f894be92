using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Cluster.Common;

namespace Cluster.Operator.Tests.Deploy;

/// <summary>The two images, as far as they can be judged without building them.</summary>
public sealed partial class ImageTests
{
    private static readonly Dockerfile Worker = Dockerfile.Read(Path.Combine(RepositoryRoot.Path, "Dockerfile.rocm"));

    [Fact]
    public void What_the_worker_image_copies_exists_and_is_sent_to_the_builder()
    {
        string[] sent = [
            .. File.ReadLines(Path.Combine(RepositoryRoot.Path, ".dockerignore")).Where(line => line.StartsWith('!'))
                .Select(line => line[1..])];
        List<string> sources = [
            .. Worker.All("COPY").Where(arguments => !arguments.StartsWith("--from", StringComparison.Ordinal))
                .SelectMany(arguments => arguments.Split(' ')[..^1])];

        Assert.NotEmpty(sources);
        Assert.All(sources, source =>
        {
            Assert.True(Path.Exists(Path.Combine(RepositoryRoot.Path, source)), $"{source} does not exist");
            Assert.Contains(source.Split('/')[0], sent);
        });
    }

    [Fact]
    public void Files_from_other_stages_come_from_stages_that_exist()
    {
        HashSet<string> stages = [
            .. Worker.All("FROM").Select(arguments => arguments.Split(" AS ", 2)).Where(parts => parts.Length == 2)
                .Select(parts => parts[1])];

        Assert.All(
            Worker.All("COPY").Select(arguments => From().Match(arguments)).Where(match => match.Success),
            match => Assert.Contains(match.Groups[1].Value, stages));
    }

    [Fact]
    public void The_worker_is_not_root_and_belongs_to_the_groups_of_the_devices()
    {
        // A number, because the kubelet cannot tell whether a name is root.
        Assert.True(int.TryParse(Worker.Final("USER"), out var user) && user > 0, Worker.Final("USER"));
        var setup = Assert.Single(
            Worker.FinalStage, one => one.Name == "RUN" && one.Arguments.Contains("useradd", StringComparison.Ordinal)).Arguments;
        Assert.Contains($"--uid {user} ", setup, StringComparison.Ordinal);
        Assert.Contains("--groups render,video ", setup, StringComparison.Ordinal);
    }

    [Fact]
    public void The_worker_listens_where_the_operator_looks()
    {
        Assert.Equal([WorkerFlags.DefaultHttpPort, WorkerFlags.DefaultGrpcPort], Worker.Final("EXPOSE").Split(' ').Select(int.Parse));

        // Where the worker says that it listens, whatever it was told on the command line: EndToEnd.Tests runs the check.
        Assert.EndsWith("\"$(cat \"$CLUSTER_ADDRESS_FILE\")/health\"", Worker.Final("HEALTHCHECK"), StringComparison.Ordinal);
        Assert.Contains("CLUSTER_ADDRESS_FILE=", Worker.Final("ENV"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_entry_point_is_the_published_worker()
    {
        var program = Assert.Single(JsonSerializer.Deserialize<string[]>(Worker.Final("ENTRYPOINT"))!);
        var folder = Worker.FinalStage.Single(one => one.Name == "COPY").Arguments.Split(' ')[^1].TrimEnd('/');

        Assert.Equal("cluster-worker", program);
        Assert.StartsWith($"PATH={folder}:", Worker.Final("ENV"), StringComparison.Ordinal);
        Assert.Equal(program, Property("worker/Worker.csproj", "AssemblyName"));
    }

    [Fact]
    public void The_operator_is_published_under_the_name_and_tag_that_the_chart_asks_for()
    {
        const string Chart = "deploy/helm/cluster";
        var values = File.ReadAllText(Path.Combine(RepositoryRoot.Path, Chart, "values.yaml"));
        var version = File.ReadLines(Path.Combine(RepositoryRoot.Path, Chart, "Chart.yaml"))
            .Single(line => line.StartsWith("appVersion:", StringComparison.Ordinal)).Split(':')[1].Trim();

        Assert.Contains($"repository: {Property("operator/Operator.csproj", "ContainerRepository")}\n", values, StringComparison.Ordinal);
        Assert.Equal("$(Version)", Property("operator/Operator.csproj", "ContainerImageTag"));
        Assert.Equal(version, Property("Directory.Build.props", "Version"));
    }

    private static string Property(string project, string name) =>
        XDocument.Load(Path.Combine(RepositoryRoot.Path, project)).Descendants(name).Single().Value;

    [GeneratedRegex(@"^--from=(\S+) ")]
    private static partial Regex From();
}
