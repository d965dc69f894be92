using System.Diagnostics;
using System.Text;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Runs the real kubectl against a server, with a home of its own and a time limit.</summary>
internal sealed class Kubectl : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly string _home = Directory.CreateTempSubdirectory("kubectl-test-").FullName;

    public Kubectl(LocalApiServer server, string @namespace)
        : this(server.WriteKubeconfig, @namespace)
    {
    }

    /// <param name="writeKubeconfig">Writes the file that says which server, to the path it is given.</param>
    public Kubectl(Action<string> writeKubeconfig, string @namespace)
    {
        Namespace = @namespace;
        writeKubeconfig(Kubeconfig);
    }

    public string Namespace { get; }

    /// <summary>More variables for the program, such as those that make it speak SPDY.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    private Dictionary<string, string> Surroundings => new(Environment)
    {
        ["KUBECONFIG"] = Kubeconfig,
        ["HOME"] = _home,
        ["KUBECACHEDIR"] = Path.Combine(_home, "cache"),
    };

    private string Kubeconfig => Path.Combine(_home, "kubeconfig");

    /// <summary>The program: CLUSTER_KUBECTL, or the one on the PATH; null when there is none.</summary>
    public static string? Program { get; } = System.Environment.GetEnvironmentVariable("CLUSTER_KUBECTL") is { Length: > 0 } named
        ? named
        : CommandLine.Find("kubectl");

    /// <summary>Starts a command; the caller reads its output as it comes.</summary>
    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Program!)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true
        };
        foreach (var argument in (string[])["--namespace", Namespace, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }
        foreach (var (name, value) in Surroundings)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    public async Task<(int ExitCode, string Output)> TryAsync(string? input, params string[] arguments)
    {
        var result = await CommandLine.RunAsync(Program!, ["--namespace", Namespace, .. arguments], Surroundings, input, Limit);
        return (result.ExitCode, result.All);
    }

    public async Task<string> RunAsync(params string[] arguments) => await RunWithInputAsync(null, arguments);

    public async Task<string> RunWithInputAsync(string? input, params string[] arguments)
    {
        var (code, output) = await TryAsync(input, arguments);
        Assert.True(code == 0, $"kubectl {string.Join(' ', arguments)} exited {code}:\n{output}");
        return output;
    }

    /// <summary>A file kubectl can read.</summary>
    public string WriteFile(string name, string content)
    {
        var path = Path.Combine(_home, name);
        File.WriteAllText(path, content, new UTF8Encoding(false));
        return path;
    }

    public void Dispose() => Directory.Delete(_home, recursive: true);
}
