using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.PostProcessors;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization;

/// <summary>The parts of a tokenizer, named as in tokenizer.json, as <see cref="TokenizerReader"/> hands them to <see cref="Tokenizer"/>.
/// Null where there is none.</summary>
internal sealed record TokenizerParts(
    IReadOnlyList<AddedToken> AddedTokens,
    INormalizer? Normalizer,
    IPreTokenizer? PreTokenizer,
    IModel Model,
    Vocabulary Vocabulary,
    IPostProcessor? PostProcessor,
    IDecoder? Decoder)
{
    /// <summary>The file they were read from and what it is, for the log.</summary>
    public string Source { get; init; } = TokenizerReader.FileName;
}
