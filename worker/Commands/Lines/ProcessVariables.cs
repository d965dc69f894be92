using System.Collections;

namespace Cluster.Worker.Commands.Lines;

/// <summary>The environment of this process, as <see cref="WorkerLine"/> takes it.</summary>
internal static class ProcessVariables
{
    public static IReadOnlyDictionary<string, string> Read() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "", StringComparer.Ordinal);
}
