
namespace Cluster.Worker.Tests.Models;

/// <summary>Checkpoints and reference results that the repository carries.</summary>
internal static class Fixtures
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "tests", "fixtures");

    public static string Haiku { get; } = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m");

    /// <summary>A smaller model of <see cref="Haiku"/>'s vocabulary, for speculative decoding.</summary>
    public static string HaikuDraft { get; } = Path.Combine(Folder, "haiku-draft");

    /// <summary>Perplexity and texts of the haiku model by Hugging Face transformers.</summary>
    public static string HaikuExpected { get; } = Path.Combine(Folder, "haiku-1m", "expected.json");

    public static string Golden(string name) => name == "haiku-1m"
        ? Path.Combine(Folder, name, "golden.safetensors")
        : Path.Combine(Folder, "goldens", name, "golden.safetensors");

    /// <summary>Checkpoint folder of a golden.</summary>
    public static string Checkpoint(string name) => name == "haiku-1m" ? Haiku : Path.Combine(Folder, "goldens", name);
}
