namespace Cluster.Worker.Tokenization.Decoders;

/// <summary>Turns the vocabulary's spelling of tokens back into text. Called by <see cref="Tokenizer.Decode"/>.</summary>
internal interface IDecoder
{
    /// <summary>Rewrites the tokens in place; concatenated at the end, they are the text.</summary>
    void Decode(List<string> tokens);
}
