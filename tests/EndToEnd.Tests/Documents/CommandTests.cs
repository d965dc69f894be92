namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>Every command in the documents, the samples and the chart's notes could be typed as it stands there.</summary>
public sealed class CommandTests
{
    private static readonly Dictionary<string, DocumentedCommand> ByName =
        DocumentedCommand.All.DistinctBy(command => command.ToString()).ToDictionary(command => command.ToString(), StringComparer.Ordinal);

    public static TheoryData<string> All { get; } = [.. ByName.Keys];

    public static TheoryData<string> OfKubectl { get; } =
        [.. ByName.Where(one => !one.Value.IsMention && one.Value.First.Program == "kubectl").Select(one => one.Key)];

    [Theory, MemberData(nameof(All))]
    public void A_command_names_a_known_program_options_that_it_has_and_files_that_are_there(string command)
    {
        Assert.Empty(Programs.Problems(ByName[command]));
    }

    [Theory, MemberData(nameof(OfKubectl))]
    public async Task Kubectl_knows_every_option_that_is_given_to_it(string command)
    {
        Assert.Empty(await Kubectl.UnknownOptionsAsync(ByName[command].First));
    }

    [Theory]
    [InlineData("kubectl describe mdep llama-3.1-8b", "no sample has a ModelDeployment called llama-3.1-8b")]
    [InlineData("kubectl apply -f deploy/samples/gone.yaml", "deploy/samples/gone.yaml does not exist")]
    [InlineData("helm install a deploy/helm/cluster --set worker.img=x", "--set worker.img: the chart has no such value")]
    [InlineData("cluster-worker serve --model DIR --colour blue", "Unrecognized command or argument '--colour'")]
    [InlineData("dotnet run --project operator -c Release -- locale", "Unrecognized command or argument 'locale'")]
    [InlineData("dotnet test tests/Worker.Tests -c Release --filter GoneTests", "there is no such class of tests")]
    [InlineData("dotnet run --project tests/Device.Tests -c Release -- -class A.GoneTests", "A.GoneTests: there is no such class of tests")]
    [InlineData("dotnet run --project tests/Benchmarks -c Release -- engine --fast 1", "--fast is not in: engine")]
    [InlineData("grpcurl -plaintext -d '{\"promt\":\"a\"}' host:1 cluster.v1.TextGeneration/Generate", "is no cluster.v1.GenerateRequest")]
    [InlineData("rm -rf deploy", "'rm' is no program")]
    public void A_wrong_command_is_found(string text, string problem)
    {
        var found = Programs.Problems(new DocumentedCommand("here", text, IsMention: false));

        Assert.Contains(found, one => one.Contains(problem, StringComparison.Ordinal));
    }

    [Fact]
    public void A_command_is_read_as_a_shell_reads_it()
    {
        string[] lines = ["# a comment", "", @"curl -d '{""a"": ""b c""}' \", "  -s X | grep vllm: > FILE   # all of it"];

        var (line, text) = Assert.Single(ShellLine.Commands(lines));
        Assert.Equal(2, line);
        Assert.Equal([["curl", "-d", """{"a": "b c"}""", "-s", "X"], ["grep", "vllm:"]], ShellLine.Pipeline(text));
    }

    [Fact]
    public void Commands_are_found_where_documents_have_them()
    {
        Assert.Contains(In("README.md"), command => command is { First.Program: "cluster-operator", IsMention: false });
        Assert.Contains(In("docs/performance.md"), command => command is { First.Program: "benchmarks", IsMention: true });
        Assert.Contains(In("deploy/samples/haiku.yaml"), command => command.First.Program == "cluster-operator");
        Assert.Contains(In("deploy/helm/cluster/templates/NOTES.txt"), command => command.First.Program == "kubectl");

        static IEnumerable<DocumentedCommand> In(string file) =>
            DocumentedCommand.All.Where(command => command.Source.StartsWith(file + ':', StringComparison.Ordinal));
    }
}
