using System.Buffers;

namespace Cluster.Worker.Tokenization;

/// <summary>The file that a checkpoint's tokenizer is read from. Found by <see cref="TokenizerReader"/> and
/// <see cref="SpecialTokenNames"/>.</summary>
internal sealed record TokenizerFile(TokenizerKind Kind, string Path)
{
    /// <summary>What <see cref="Find"/> looks for, in its order, for messages.</summary>
    public const string Names =
        "tokenizer.json, tekken.json, tokenizer.model, *.tiktoken, tiktoken.model, vocab.json with merges.txt, or vocab.txt";

    public const string MergesName = "merges.txt";

    private const string TiktokenEnding = ".tiktoken";

    private static readonly SearchValues<byte> Base64 =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"u8);

    public string Folder => System.IO.Path.GetDirectoryName(Path)!;

    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>The first there is of <see cref="Names"/>; null for none.</summary>
    /// <exception cref="TokenizerFormatException">There are several that may be meant.</exception>
    public static TokenizerFile? Find(string folder)
    {
        return At(TokenizerReader.FileName, TokenizerKind.Json)
            ?? At("tekken.json", TokenizerKind.Tekken)
            ?? Model()
            ?? Tiktoken()
            ?? At("tiktoken.model", TokenizerKind.Tiktoken)
            ?? (RegularFile.IsThere(System.IO.Path.Combine(folder, MergesName)) ? At("vocab.json", TokenizerKind.Merges) : null)
            ?? At("vocab.txt", TokenizerKind.Words);

        TokenizerFile? At(string name, TokenizerKind kind) =>
            System.IO.Path.Combine(folder, name) is var path && RegularFile.IsThere(path) ? new TokenizerFile(kind, path) : null;

        // GLM-4 and Meta's own Llama 3 call a tiktoken file so.
        TokenizerFile? Model() => At("tokenizer.model", TokenizerKind.SentencePiece) is { } file && IsText(file.Path)
            ? file with { Kind = TokenizerKind.Tiktoken }
            : At("tokenizer.model", TokenizerKind.SentencePiece);

        TokenizerFile? Tiktoken()
        {
            string[] found = Directory.Exists(folder)
                ? [.. Directory.EnumerateFileSystemEntries(folder, "*" + TiktokenEnding).Order(StringComparer.Ordinal)]
                : [];
            return found.Length <= 1
                ? found.Select(path => new TokenizerFile(TokenizerKind.Tiktoken, path)).FirstOrDefault()
                : throw new TokenizerFormatException(
                    $"{folder}: has {found.Length} files *{TiktokenEnding} "
                    + $"({string.Join(", ", found.Select(System.IO.Path.GetFileName))}); expected one");
        }
    }

    // A ModelProto begins with the key of its first piece, a line feed.
    private static bool IsText(string path)
    {
        using var file = RegularFile.Open(path, FileKind.Tokenizer);
        Span<byte> first = stackalloc byte[1];
        return RandomAccess.Read(file, first, 0) == 1 && Base64.Contains(first[0]);
    }
}
