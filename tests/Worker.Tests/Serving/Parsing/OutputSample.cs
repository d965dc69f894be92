using Cluster.Worker.Serving.Parsing;

namespace Cluster.Worker.Tests.Serving.Parsing;

/// <summary>An output as a model writes it, and the message that it is.</summary>
/// <param name="Tools">Name of the format of calls.</param>
/// <param name="Calls"><c>name(arguments)</c>, each on a line of its own.</param>
public sealed record OutputSample(string Title, string Tools, string Text, string Content, params string[] Calls)
{
    /// <summary>Name of the format of reasoning; null for none.</summary>
    public string? ReasoningFormat { get; init; }

    /// <summary>The end of the prompt.</summary>
    public string Prompt { get; init; } = "";

    public string Reasoning { get; init; } = "";

    public IReadOnlyList<string> Ids { get; init; } = [];

    public override string ToString() => $"{Tools} {ReasoningFormat}: {Title}";

    internal OutputParser CreateParser(int maxCalls = int.MaxValue)
    {
        var formats = OutputFormats.Choose(Tools, ReasoningFormat ?? "auto", template: null);
        return formats.Create(
            CallDemand.Auto, null, SampleTools.Definitions, maxCalls,
            formats.Reasoning?.StartOf(Prompt, isContinued: false) ?? ThinkingStart.Answering, CallIds.Drawn)!;
    }
}
