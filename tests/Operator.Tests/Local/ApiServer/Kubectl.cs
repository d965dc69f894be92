using System.Diagnostics;
using System.Text;
using Cluster.Operator.Local.ApiServer;
using Xunit;

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

    private string Kubeconfig => Path.Combine(_home, "kubeconfig");

    /// <summary>The program: CLUSTER_KUBECTL, or the one on the PATH; null when there is none.</summary>
    public static string? Program { get; } = Environment.GetEnvironmentVariable("CLUSTER_KUBECTL") is { Length: > 0 } named
        ? named
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "kubectl")).FirstOrDefault(File.Exists);

    /// <summary>Starts a command; the caller reads its output as it comes.</summary>
    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Program!) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var argument in (string[])["--namespace", Namespace, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }
        start.Environment["KUBECONFIG"] = Kubeconfig;
        start.Environment["HOME"] = _home;
        start.Environment["KUBECACHEDIR"] = Path.Combine(_home, "cache");
        return Process.Start(start)!;
    }

    public async Task<(int ExitCode, string Output)> TryAsync(string? input, params string[] arguments)
    {
        using var process = Start(arguments);
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            if (input is not null)
            {
                await process.StandardInput.WriteAsync(input.AsMemory(), limit.Token);
            }
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, await output + await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"kubectl {string.Join(' ', arguments)} took longer than {Limit}");
        }
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
