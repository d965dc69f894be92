namespace Cluster.Worker.Tokenization.PostProcessors;

/// <summary><c>ByteLevel</c>: trims character offsets, of which this tokenizer keeps none, so the ids stay as they are.</summary>
internal sealed class ByteLevelPostProcessor : IPostProcessor
{
    public List<int> Process(List<int> ids) => ids;
}
