using SharpFuzz;

namespace Cluster.Fuzz.Coverage;

/// <summary>A copy of this program whose worker and operator count the branches they take. A copy, because instrumented assemblies are of
/// no use to anybody else.</summary>
internal sealed class InstrumentedCopy : IDisposable
{
    /// <summary>What reads what others wrote. The kernels and the engine's loop would only be slower.</summary>
    private static readonly string[] Namespaces =
    [
        "Cluster.Worker.Tokenization", "Cluster.Worker.Engine.Constraints", "Cluster.Worker.Models.Config",
        "Cluster.Worker.Models.Checkpoints", "Cluster.Worker.Models.Sources", "Cluster.Worker.Models.Architectures",
        "Cluster.Worker.Models.Quantization", "Cluster.Worker.Serving", "Cluster.Operator",
    ];

    // Inside of the repository, whose files the targets read.
    private readonly string _folder = Path.GetFullPath(
        Path.Combine(AppContext.BaseDirectory, "..", $"instrumented-{Environment.ProcessId}"));

    public InstrumentedCopy()
    {
        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(_folder, Path.GetRelativePath(AppContext.BaseDirectory, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        foreach (var assembly in (string[])["cluster-worker.dll", "cluster-operator.dll"])
        {
            Fuzzer.Instrument(Path.Combine(_folder, assembly), IsWatched, Options.Value);
        }
    }

    public string Program => Path.Combine(_folder, Path.GetFileName(typeof(InstrumentedCopy).Assembly.Location));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static bool IsWatched(string type) => Namespaces.Any(room => type.StartsWith(room, StringComparison.Ordinal));
}
