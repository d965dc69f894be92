using System.Text.Json;

namespace Cluster.Worker.Tokenization;

/// <summary>Opens the JSON files of a tokenizer with bounds on size and depth.</summary>
internal static class JsonFile
{
    /// <summary>Larger than any published tokenizer (Gemma's is 33 MB) and small enough to parse in memory.</summary>
    public const long MaxBytes = 256L << 20;

    private const int MaxDepth = 64;

    /// <summary>Parses a file; the caller disposes the document.</summary>
    /// <exception cref="TokenizerFormatException">Too large, or not JSON.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static JsonDocument Open(string path)
    {
        using var stream = File.OpenRead(path);
        if (stream.Length > MaxBytes)
        {
            throw new TokenizerFormatException($"{path}: {stream.Length} bytes; at most {MaxBytes} are read");
        }
        try
        {
            return JsonDocument.Parse(stream, new JsonDocumentOptions { MaxDepth = MaxDepth });
        }
        catch (JsonException e)
        {
            throw new TokenizerFormatException($"{path}: not valid JSON: {e.Message}", e);
        }
    }
}
