using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>The worker that the examples of the documents talk to, on free ports instead of the ones in their text, and a folder for what
/// commands write.</summary>
public sealed class DocumentedWorker : IAsyncLifetime
{
    private const string HttpInText = "http://127.0.0.1:8000";
    private const string GrpcInText = "http://127.0.0.1:50051";

    private readonly string _folder = Directory.CreateTempSubdirectory("cluster-documents-").FullName;
    private WorkerProcess? _worker;

    public async ValueTask InitializeAsync() => _worker = await WorkerProcess.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_worker is not null)
        {
            await _worker.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Paths of the repository as they are from any folder.</summary>
    internal static string[] WithFullPaths(IEnumerable<string> arguments) =>
        [.. arguments.Select(word => IsInRepository(word) ? Path.Combine(RepositoryRoot.Path, word) : word)];

    /// <summary>Runs cluster-worker to its end.</summary>
    internal Task<CommandResult> RunAsync(IEnumerable<string> arguments) =>
        CommandLine.RunAsync(WorkerProcess.Program, WithFullPaths(arguments), folder: _folder);

    /// <summary>Runs a client of this worker.</summary>
    internal Task<CommandResult> AskAsync(DocumentedCommand command)
    {
        switch (command.First)
        {
            case { Program: "cluster-worker", Arguments: var bench }:
                return RunAsync([.. bench, "--base-url", Root(_worker!.Http)]);
            case { Program: "grpc-client", Arguments: var arguments }:
                var output = Path.Combine(RepositoryRoot.Path, "docs", "examples", "grpc-client", "bin", LocalOperator.Configuration);
                return CommandLine.RunAsync(
                    Path.Combine(output, "net10.0", "grpc-client"),
                    arguments.Select(word => word == GrpcInText ? Root(_worker!.Grpc) : word));
            default:
                Assert.SkipWhen(CommandLine.Find("curl") is null, "curl is not installed");
                Assert.Contains(HttpInText, command.Text, StringComparison.Ordinal);

                // An answer that is an error shall fail the command.
                var text = command.Text.Replace(HttpInText, Root(_worker!.Http), StringComparison.Ordinal)
                    .Replace("curl ", "curl --fail-with-body ", StringComparison.Ordinal);
                return CommandLine.RunAsync("sh", ["-c", text]);
        }
    }

    /// <summary>Runs a module of JavaScript that talks to this worker.</summary>
    /// <param name="modules">The folder <c>node_modules</c> with its packages.</param>
    internal async Task<CommandResult> RunScriptAsync(string script, string modules)
    {
        Assert.Contains(HttpInText, script, StringComparison.Ordinal);
        var file = Path.Combine(_folder, "example.mjs");
        await File.WriteAllTextAsync(file, script.Replace(HttpInText, Root(_worker!.Http), StringComparison.Ordinal));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "node_modules"), modules);
        return await CommandLine.RunAsync("node", [file], folder: _folder);
    }

    private static bool IsInRepository(string word) =>
        word.StartsWith("deploy/", StringComparison.Ordinal) || word.StartsWith("tests/", StringComparison.Ordinal);

    private static string Root(Uri address) => address.GetLeftPart(UriPartial.Authority);
}
