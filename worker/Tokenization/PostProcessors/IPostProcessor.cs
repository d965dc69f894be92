namespace Cluster.Worker.Tokenization.PostProcessors;

/// <summary>Puts special tokens around encoded text. Called by <see cref="Tokenizer"/> when the caller asks for special tokens.</summary>
internal interface IPostProcessor
{
    List<int> Process(List<int> ids);
}
