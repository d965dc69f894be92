using System.Text;
using System.Text.Json;

namespace Cluster.Fuzz.Running;

/// <summary>The folder through which <see cref="Supervisor"/> and the process that runs the inputs talk. What is written there outlives
/// that process, however it ends.
/// <code>
/// options.json    what to run             written by the supervisor
/// reports.jsonl   a line for each target that is done
/// current         the input that runs now: [ u8 name bytes ][ name ][ i32 input bytes ][ input ]
/// hang            why the watchdog ended the process
/// </code></summary>
internal sealed class Session(string folder) : IDisposable
{
    private FileStream? _current;

    private string OptionsFile => Path.Combine(folder, "options.json");

    private string ReportsFile => Path.Combine(folder, "reports.jsonl");

    private string CurrentFile => Path.Combine(folder, "current");

    private string HangFile => Path.Combine(folder, "hang");

    public RunOptions Options
    {
        get => JsonSerializer.Deserialize<RunOptions>(File.ReadAllText(OptionsFile))!;
        set => File.WriteAllText(OptionsFile, JsonSerializer.Serialize(value));
    }

    public IReadOnlyList<TargetReport> Reports => File.Exists(ReportsFile)
        ? [.. File.ReadLines(ReportsFile).Select(line => JsonSerializer.Deserialize<TargetReport>(line)!)]
        : [];

    /// <summary>Why the watchdog ended the process; null where it did not.</summary>
    public string? Hang
    {
        get => File.Exists(HangFile) ? File.ReadAllText(HangFile) : null;
        set => File.WriteAllText(HangFile, value);
    }

    public void Add(TargetReport report) => File.AppendAllText(ReportsFile, JsonSerializer.Serialize(report) + "\n");

    public void Begin(string target, byte[] input)
    {
        _current ??= new FileStream(CurrentFile, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        var name = Encoding.UTF8.GetBytes(target);
        byte[] frame = [(byte)name.Length, .. name, .. BitConverter.GetBytes(input.Length), .. input];
        _current.Position = 0;
        _current.Write(frame);
    }

    /// <summary>The input that ran last.</summary>
    public (string Target, byte[] Input) Last()
    {
        var frame = File.ReadAllBytes(CurrentFile);
        var name = Encoding.UTF8.GetString(frame, 1, frame[0]);
        var at = 1 + frame[0];
        return (name, frame.AsSpan(at + sizeof(int), BitConverter.ToInt32(frame, at)).ToArray());
    }

    public void Dispose() => _current?.Dispose();
}
