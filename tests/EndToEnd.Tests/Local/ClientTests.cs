using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Local;

/// <summary>Other people's clients against the replicas of the sample deployment.</summary>
[Collection(SampleClusterCollection.Name)]
public sealed class ClientTests(SampleCluster cluster)
{
    [Fact]
    public async Task The_printed_curl_commands_work_as_they_stand()
    {
        Assert.SkipWhen(CommandLine.Find("curl") is null, "curl is not installed");
        var commands = cluster.Local.Output.Split('\n').Where(line => line.TrimStart().StartsWith("curl ", StringComparison.Ordinal))
            .ToList();
        Assert.Equal(3, commands.Count);

        // The gateway's own is printed first, and again with the others when all replicas are ready.
        Assert.Equal(commands[0], commands[1]);
        var chat = JsonNode.Parse((await CommandLine.RunAsync("sh", ["-c", commands[1]])).Output)!;
        var completion = JsonNode.Parse((await CommandLine.RunAsync("sh", ["-c", commands[2]])).Output)!;

        Assert.Equal(Haiku.Text, (string?)chat["choices"]![0]!["message"]!["content"]);
        Assert.Equal(Haiku.Continuation, (string?)completion["choices"]![0]!["text"]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task The_openai_client_holds_its_conversation_with_each_replica(int replica)
    {
        var modules = await NodePackages.RequireAsync("openai");

        var result = await RunClientAsync("openai.mjs", modules, cluster.Local.HttpEndpoints[replica], Haiku.ExpectedFile);

        Assert.True(result.ExitCode == 0, $"{result.All}\n{await cluster.DescribeAsync()}");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task The_grpc_js_client_holds_its_conversation_with_each_replica(int replica)
    {
        var modules = await NodePackages.RequireAsync("@grpc/grpc-js", "@grpc/proto-loader");

        var result = await RunClientAsync(
            "grpc.mjs", modules, cluster.Local.GrpcEndpoints[replica], Path.Combine(RepositoryRoot.Path, "worker", "Protos"), Haiku.Prompt,
            Haiku.Text);

        Assert.True(result.ExitCode == 0, $"{result.All}\n{await cluster.DescribeAsync()}");
    }

    private static Task<CommandResult> RunClientAsync(string script, string modules, params string[] arguments) =>
        CommandLine.RunAsync(
            "node",
            [Path.Combine(RepositoryRoot.Path, "tests", "EndToEnd.Tests", "clients", script), .. arguments],
            new Dictionary<string, string> { ["CLUSTER_NODE_MODULES"] = modules });
}
