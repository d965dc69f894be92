using System.Diagnostics;
using System.Globalization;
using Cluster.Fuzz.Coverage;

namespace Cluster.Fuzz.Running;

/// <summary>Runs targets in a process of their own (<see cref="InputProcess"/>) and starts another one when that ends before it is done:
/// the input that it ended on is a finding like others.</summary>
internal sealed class Supervisor(RunOptions options, TextWriter log)
{
    /// <summary>Far more than any input may allocate: an endless one ends in an exception, not in the machine's last byte.</summary>
    private const long HeapBytes = 3L << 30;

    /// <summary>Each try is a process.</summary>
    private const int MostTries = 60;

    private readonly List<TargetReport> _reports = [];

    public IReadOnlyList<TargetReport> Run()
    {
        using var instrumented = options.Coverage ? new InstrumentedCopy() : null;
        var program = instrumented?.Program ?? typeof(Supervisor).Assembly.Location;
        for (var left = options.Targets; left.Count > 0; left = [.. left.Skip(RunSome(program, left))])
        {
        }

        return _reports;
    }

    /// <returns>How many targets are done with.</returns>
    private int RunSome(string program, IReadOnlyList<string> targets)
    {
        using TemporaryFolder folder = new();
        using Session session = new(folder.Path) { Options = options with { Targets = targets } };
        var (code, error) = Start(program, folder.Path);
        var done = session.Reports;
        _reports.AddRange(done);
        if (code == 0)
        {
            return targets.Count;
        }

        var (target, input) = session.Last();
        var failure = FailureOf(session.Hang, code, error);
        log.WriteLine($"{target}: {failure.Title}; making the input smaller");
        if (session.Hang is null)
        {
            input = Minimizer.Minimize(input, candidate => Ends(program, target, candidate), MostTries);
        }

        Finding finding = new(target, failure, Fixtures.Save(options.Findings, target, input), input.Length);
        _reports.Add(new TargetReport(target, 0, 0, 0, 0, 1, TimeSpan.Zero, 0, [finding]));
        return done.Count + 1;
    }

    private static Failure FailureOf(string? hang, int code, string error)
    {
        var first = error.AsSpan().TrimStart().ToString().Split('\n')[0];
        return hang is not null
            ? new Failure("hang", hang, hang)
            : new Failure(
                $"process end at {Judge.PlaceOf(error)}",
                string.Create(CultureInfo.InvariantCulture, $"the process ended with {code}: {first}"), error);
    }

    private static bool Ends(string program, string target, byte[] input)
    {
        using TemporaryFolder folder = new();
        folder.Write("input", input);
        return Start(program, folder.Path, target).Code is not (0 or 1);
    }

    private static (int Code, string Error) Start(string program, string folder, string? replayed = null)
    {
        ProcessStartInfo start = new(
            Environment.ProcessPath!,
            replayed is null
                ? ["exec", program, Program.SessionOption, folder]
                : ["exec", program, "--target", replayed, "--replay", Path.Combine(folder, "input")])
        {
            RedirectStandardError = true,

            // Who makes an input smaller need not read of every try; who waits for a long run wants to see how far it is.
            RedirectStandardOutput = replayed is not null,
        };
        start.Environment["DOTNET_GCHeapHardLimit"] = HeapBytes.ToString("x", CultureInfo.InvariantCulture);
        using var process = Process.Start(start)!;
        var output = replayed is null ? Task.CompletedTask : process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        output.Wait();
        return (process.ExitCode, error);
    }
}
