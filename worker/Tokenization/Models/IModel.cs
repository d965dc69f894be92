namespace Cluster.Worker.Tokenization.Models;

/// <summary>Cuts one word into vocabulary entries. Called by <see cref="Tokenizer"/> for every piece the pre-tokenizers leave.</summary>
internal interface IModel
{
    /// <summary>Appends the ids of a word. Safe for concurrent use.</summary>
    void Encode(ReadOnlySpan<char> word, List<int> ids);
}
