namespace Cluster.Tests.Shared;

/// <summary>The folder that holds Cluster.sln, found by walking up from the test assembly.</summary>
internal static class RepositoryRoot
{
    public static string Path { get; } = Find(new DirectoryInfo(AppContext.BaseDirectory));

    private static string Find(DirectoryInfo? folder)
        => folder is null ? throw new DirectoryNotFoundException($"no Cluster.sln above {AppContext.BaseDirectory}")
            : File.Exists(System.IO.Path.Combine(folder.FullName, "Cluster.sln")) ? folder.FullName
            : Find(folder.Parent);
}
