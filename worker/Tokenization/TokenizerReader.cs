using Cluster.Worker.Tokenization.Formats;

namespace Cluster.Worker.Tokenization;

/// <summary>Reads a checkpoint's tokenizer, whichever form it comes in. Called by <see cref="Tokenizer.Load"/>; each form has its own
/// reader.</summary>
internal static class TokenizerReader
{
    public const string FileName = "tokenizer.json";
    public const string ConfigFileName = "tokenizer_config.json";

    /// <exception cref="TokenizerFormatException">A file is malformed or holds an unknown part.</exception>
    /// <exception cref="FileNotFoundException">The folder has no tokenizer.</exception>
    public static TokenizerParts Read(string folder)
    {
        var file = TokenizerFile.Find(folder)
            ?? throw new FileNotFoundException($"{folder} has no {TokenizerFile.Names}", Path.Combine(folder, FileName));
        return file.Kind switch
        {
            TokenizerKind.Json => TokenizerJsonReader.Read(file),
            TokenizerKind.Tekken => TekkenReader.Read(file),
            TokenizerKind.SentencePiece => SentencePieceReader.Read(file),
            TokenizerKind.Tiktoken => TiktokenReader.Read(file),
            TokenizerKind.Merges => MergesReader.Read(file),
            _ => WordListReader.Read(file),
        };
    }
}
