namespace Cluster.Worker.Tokenization.PostProcessors;

/// <summary><c>TemplateProcessing</c> for a single text: fixed ids before and after it.</summary>
/// <param name="template">The ids in order; <see langword="null"/> stands for the text.</param>
internal sealed class TemplateProcessing(IReadOnlyList<int?> template) : IPostProcessor
{
    public List<int> Process(List<int> ids)
    {
        List<int> result = new(ids.Count + template.Count);
        foreach (var item in template)
        {
            if (item is { } id)
            {
                result.Add(id);
            }
            else
            {
                result.AddRange(ids);
            }
        }
        return result;
    }
}
