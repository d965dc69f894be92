using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

/// <summary><c>GET /info</c>: what TGI's clients ask before they choose lengths.</summary>
internal sealed record TgiInfo(
    string ModelId,
    string ModelPipelineTag,
    int MaxBestOf,
    int MaxStopSequences,
    int MaxInputTokens,
    int MaxTotalTokens,
    string Router,
    string Version)
{
    public static TgiInfo Of(ServedModel model) => new(
        model.Name,
        "text-generation",
        Choices.MaxChoices,
        RequestValidator.MaxStopStrings,
        model.Engine.MaxPromptLength,
        model.Engine.MaxModelLength,
        "cluster-worker",
        WorkerVersion.Current);
}
