namespace Cluster.Operator.Local;

/// <summary>Finds the worker that local mode runs as a process: it is built with the operator, into a folder beside it.</summary>
internal static class WorkerProgram
{
    private static readonly string Default = Path.Combine(
        AppContext.BaseDirectory, "worker", OperatingSystem.IsWindows() ? "cluster-worker.exe" : "cluster-worker");

    /// <summary>Program and leading arguments.</summary>
    /// <param name="path">An executable, or a <c>.dll</c> for the dotnet host; null for the one built with the operator.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static IReadOnlyList<string> Resolve(string? path)
    {
        var file = Path.GetFullPath(path ?? Default);
        if (!File.Exists(file))
        {
            throw new FileNotFoundException($"no worker at {file}: build it (dotnet build worker -c Release) or name one with --worker");
        }

        return file.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? ["dotnet", file] : [file];
    }
}
