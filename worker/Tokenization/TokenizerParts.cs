using Cluster.Worker.Tokenization.Decoders;
using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.PostProcessors;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization;

/// <summary>The parts of a tokenizer.json, as <see cref="TokenizerReader"/> hands them to <see cref="Tokenizer"/>. Null where the file has
/// none.</summary>
internal sealed record TokenizerParts(
    IReadOnlyList<AddedToken> AddedTokens,
    INormalizer? Normalizer,
    IPreTokenizer? PreTokenizer,
    IModel Model,
    Vocabulary Vocabulary,
    IPostProcessor? PostProcessor,
    IDecoder? Decoder);
