namespace Cluster.EndToEnd.Tests.Support;

/// <summary>A folder with the links that make kubectl find our plugin, as an administrator makes them.</summary>
internal sealed class PluginFolder : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public PluginFolder()
    {
        foreach (var name in (string[])["kubectl-mdep", "kubectl_complete-mdep"])
        {
            File.CreateSymbolicLink(Path.Combine(_folder.Path, name), LocalOperator.Program);
        }
    }

    /// <summary>PATH with this folder in front.</summary>
    public string BeforePath => $"{_folder.Path}{Path.PathSeparator}{Environment.GetEnvironmentVariable("PATH")}";

    public void Dispose() => _folder.Dispose();
}
