using System.Text.Json;
using System.Text.Unicode;

namespace Cluster.Worker.Tokenization;

/// <summary>Opens the JSON files of a tokenizer with bounds on size and depth.</summary>
internal static class JsonFile
{
    private const int MaxDepth = 64;

    /// <summary>Parses a file; the caller disposes the document.</summary>
    /// <exception cref="TokenizerFormatException">Not JSON in UTF-8.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="RefusedFileException">It is no regular file, or too large.</exception>
    public static JsonDocument Open(string path)
    {
        var bytes = RegularFile.ReadBytes(path, FileKind.Tokenizer);
        if (!Utf8.IsValid(bytes))
        {
            // The parser looks at text only when it is asked for, and then fails in other words.
            throw new TokenizerFormatException($"{path}: is not UTF-8");
        }

        try
        {
            return JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = MaxDepth });
        }
        catch (JsonException e)
        {
            throw new TokenizerFormatException($"{path}: not valid JSON: {e.Message}", e);
        }
    }
}
