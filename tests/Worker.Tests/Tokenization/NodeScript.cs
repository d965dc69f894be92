using System.Diagnostics;
using System.Text;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Runs JavaScript that holds an independent implementation against ours.</summary>
internal static class NodeScript
{
    /// <param name="name">Of the script's file; its ending tells node which kind of modules it uses.</param>
    /// <param name="input">Given on standard input.</param>
    /// <returns>Standard output.</returns>
    public static string Run(string name, string script, string input, params string[] arguments)
    {
        using var folder = new TemporaryFolder().With(name, script);
        ProcessStartInfo start = new("node", [Path.Combine(folder.Path, name), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            StandardOutputEncoding = Encoding.UTF8,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors.Result);
        return output.Result;
    }
}
