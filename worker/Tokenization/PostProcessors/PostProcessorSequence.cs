namespace Cluster.Worker.Tokenization.PostProcessors;

/// <summary><c>Sequence</c>: one post-processor after the other.</summary>
internal sealed class PostProcessorSequence(IReadOnlyList<IPostProcessor> processors) : IPostProcessor
{
    public List<int> Process(List<int> ids)
    {
        foreach (var processor in processors)
        {
            ids = processor.Process(ids);
        }
        return ids;
    }
}
