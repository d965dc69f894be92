using System.ComponentModel;
using System.Diagnostics;

namespace Cluster.Device.Tests;

/// <summary>Programs that may be installed or not.</summary>
internal static class Programs
{
    /// <summary>What one says of <c>--version</c>; null where it is not there.</summary>
    public static string? VersionOf(string program)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, "--version") { RedirectStandardOutput = true })!;
            return process.StandardOutput.ReadToEnd();
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
