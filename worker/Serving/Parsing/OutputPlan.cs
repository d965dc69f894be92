using System.Text.Json.Nodes;
using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>How the answers to one conversation are taken apart, and what the engine has to do for it. Made by the endpoints of chats, over
/// HTTP and gRPC alike.</summary>
internal sealed class OutputPlan
{
    /// <summary>Tokens at the end of a prompt that show what a template has begun.</summary>
    private const int PromptEnd = 32;

    private readonly OutputFormats _formats;
    private readonly ITokenizer _tokenizer;
    private readonly CallDemand _calls;
    private readonly ThinkingStart _start;

    /// <param name="isContinued">Whether the prompt ends within the answer itself.</param>
    public OutputPlan(OutputFormats formats, ITokenizer tokenizer, CallDemand calls, IReadOnlyList<int> prompt, bool isContinued)
    {
        (_formats, _tokenizer, _calls) = (formats, tokenizer, calls);
        if (formats.Reasoning is { } reasoning)
        {
            int[] end = [.. isContinued ? prompt : prompt.Skip(prompt.Count - PromptEnd)];
            _start = reasoning.StartOf(tokenizer.Decode(end, skipSpecialTokens: false), isContinued);
        }
    }

    /// <summary>Of the function that is demanded by its name.</summary>
    public string? Name { get; init; }

    /// <summary>Definitions of those that may be called.</summary>
    public JsonArray? Tools { get; init; }

    /// <summary>Calls beyond are dropped.</summary>
    public int MaxCalls { get; init; }

    /// <summary>What ids of calls are made of; null draws them.</summary>
    public string? RequestId { get; init; }

    /// <summary>The request's sampling: what is demanded of the output is so of the answer alone, and the text has the marks that the
    /// parser looks for.</summary>
    public SamplingParameters Sampling(SamplingParameters given) => given with
    {
        ConstraintDelay = given.Constraint is null ? null : _formats.Reasoning?.DelayOf(_start),
        KeptSpecialTokens = [.. _formats.MarkersOf(_calls).Select(_tokenizer.TokenToId).OfType<int>().Where(_tokenizer.IsSpecial)],
    };

    /// <summary>A parser for one answer; null when all of it is text.</summary>
    /// <param name="choice">Which of the request's answers it is.</param>
    public OutputParser? CreateParser(int choice = 0) =>
        _formats.Create(_calls, Name, Tools, MaxCalls, _start, new CallIds(RequestId, choice));
}
