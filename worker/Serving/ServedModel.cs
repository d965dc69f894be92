using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving;

/// <summary>Everything a service needs to answer for the model this worker serves.</summary>
/// <param name="Names">Names the API accepts (<c>--served-model-name</c>); the first is what responses carry.</param>
/// <param name="Path">Folder or source the model was loaded from.</param>
/// <param name="ChatTemplate">Null when the checkpoint has none: chat requests get a clear error.</param>
/// <param name="DeviceIds">GPU UUIDs or indices this worker sees, in rank order.</param>
internal sealed record ServedModel(
    IReadOnlyList<string> Names,
    string Path,
    IEngine Engine,
    ITokenizer Tokenizer,
    IChatTemplate? ChatTemplate,
    IReadOnlyList<string> DeviceIds)
{
    public string Name => Names[0];

    /// <summary>How the model writes tool calls and reasoning.</summary>
    public OutputFormats Formats { get; init; } = OutputFormats.Default;

    /// <summary>How requests are sampled that do not say it.</summary>
    public SamplingDefaults Defaults { get; init; } = SamplingDefaults.None;
}
