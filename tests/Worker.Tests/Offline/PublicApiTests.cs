using Cluster.Worker.Offline;

namespace Cluster.Worker.Tests.Offline;

/// <summary>What programs of others see of the worker. A new name here is a promise: it needs a line in the changelog.</summary>
public sealed class PublicApiTests
{
    private static readonly string[] Types =
    [
        "Cluster.Worker.Offline.ChatMessage",
        "Cluster.Worker.Offline.CompletionOutput",
        "Cluster.Worker.Offline.GenerationProgress",
        "Cluster.Worker.Offline.LLM",
        "Cluster.Worker.Offline.LLMException",
        "Cluster.Worker.Offline.LLMOptions",
        "Cluster.Worker.Offline.Logprob",
        "Cluster.Worker.Offline.LogprobPosition",
        "Cluster.Worker.Offline.Prompt",
        "Cluster.Worker.Offline.RequestOutput",
        "Cluster.Worker.Offline.SamplingParams",
        "Cluster.Worker.Offline.StructuredOutput",
    ];

    private static readonly string[] MembersOfLLM =
    [
        "Chat(IEnumerable`1, SamplingParams, IProgress`1, CancellationToken)",
        "Chat(IReadOnlyList`1, SamplingParams, CancellationToken)",
        "ChatAsync(IEnumerable`1, SamplingParams, IProgress`1, CancellationToken)",
        "Dispose()",
        "DisposeAsync()",
        "Generate(IEnumerable`1, SamplingParams, IProgress`1, CancellationToken)",
        "Generate(IEnumerable`1, SamplingParams, IProgress`1, CancellationToken)",
        "Generate(Prompt, SamplingParams, CancellationToken)",
        "GenerateAsync(IEnumerable`1, SamplingParams, IProgress`1, CancellationToken)",
        "LoadAsync(String, LLMOptions, CancellationToken)",
        "StreamAsync(Prompt, SamplingParams, CancellationToken)",
        "StreamChatAsync(IReadOnlyList`1, SamplingParams, CancellationToken)",
        "get_MaxModelLength()",
    ];

    [Fact]
    public void The_public_types_are_these() =>
        Assert.Equal(Types, typeof(LLM).Assembly.GetExportedTypes().Select(type => type.FullName).Order(StringComparer.Ordinal));

    [Fact]
    public void The_public_members_of_LLM_are_these() =>
        Assert.Equal(
            MembersOfLLM,
            typeof(LLM).GetMethods().Where(method => method.DeclaringType == typeof(LLM))
                .Select(method => $"{method.Name}({string.Join(", ", method.GetParameters().Select(one => one.ParameterType.Name))})")
                .Order(StringComparer.Ordinal));

    [Fact]
    public void No_public_member_shows_an_internal_type()
    {
        var shown =
            from type in typeof(LLM).Assembly.GetExportedTypes()
            from method in type.GetMethods()
            from seen in method.GetParameters().Select(one => one.ParameterType).Append(method.ReturnType)
            from part in seen.GetGenericArguments().Append(seen)
            where !part.IsGenericParameter && !part.IsVisible
            select $"{type.Name}.{method.Name}: {part.Name}";

        Assert.Empty(shown);
    }
}
