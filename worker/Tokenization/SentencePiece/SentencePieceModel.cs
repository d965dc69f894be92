namespace Cluster.Worker.Tokenization.SentencePiece;

/// <summary>What a tokenizer.model says. Read by <see cref="ModelProtoReader"/>; can be made from any file that lists pieces with scores
/// and types, as GGUF does.</summary>
internal sealed record SentencePieceModel
{
    public required IReadOnlyList<VocabularyPiece> Pieces { get; init; }

    /// <summary>Or BPE.</summary>
    public bool IsUnigram { get; init; } = true;

    /// <summary>Characters without a piece become their bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Layout of <see cref="Normalizers.CharsMap"/>; empty for none.</summary>
    public ReadOnlyMemory<byte> CharsMap { get; init; }

    /// <summary>A space before every text.</summary>
    public bool AddDummyPrefix { get; init; } = true;

    /// <summary>No spaces at the ends of a text, and no two between words.</summary>
    public bool RemoveExtraWhitespaces { get; init; } = true;

    /// <summary>Spaces are written ▁.</summary>
    public bool EscapeWhitespaces { get; init; } = true;

    public string BosPiece { get; init; } = "<s>";

    public string EosPiece { get; init; } = "</s>";

    public string PadPiece { get; init; } = "<pad>";

    /// <summary><c>bos_token</c> and its like, as far as they are pieces.</summary>
    public IEnumerable<(string Name, string Token)> NamedTokens =>
    [
        .. new[] { ("bos_token", BosPiece), ("eos_token", EosPiece), ("pad_token", PadPiece) }
            .Where(named => Pieces.Any(piece => piece.Type == PieceType.Control && piece.Text == named.Item2)),
        .. Pieces.Where(piece => piece.Type == PieceType.Unknown).Select(piece => ("unk_token", piece.Text)),
    ];

    /// <exception cref="TokenizerFormatException">The file is no ModelProto, or has what is not supported.</exception>
    public static SentencePieceModel Read(string path) => ModelProtoReader.Read(path);
}
