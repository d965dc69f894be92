using System.Text.Json.Nodes;

namespace Cluster.EndToEnd.Tests.Support;

/// <summary>Reference answers of the sample model, made by Hugging Face transformers.</summary>
internal static class Haiku
{
    public const string Prompt = "Write a haiku about artificial intelligence";

    public static string ExpectedFile { get; } = Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "haiku-1m", "expected.json");

    public static JsonNode Expected { get; } = JsonNode.Parse(File.ReadAllText(ExpectedFile))!;

    public static string Text { get; } = (string)Expected["chat"]![0]!["text"]!;

    /// <summary>The raw continuation of the prompt, without the chat template.</summary>
    public static string Continuation { get; } = (string)Expected["completions"]![0]!["text"]!;
}
