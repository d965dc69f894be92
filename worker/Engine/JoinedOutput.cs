using System.Text;

namespace Cluster.Worker.Engine;

/// <summary>Outputs of one sequence put together, for those that leave whole: the best of several, and beams. Used by
/// <see cref="BestOutputs"/> and <see cref="Beams.BeamSearch"/>.</summary>
internal sealed class JoinedOutput
{
    private readonly List<int> _tokens = [];
    private readonly List<PositionLogprobs> _logprobs = [];
    private readonly StringBuilder _text = new();
    private readonly List<int> _textLengths = [];
    private IReadOnlyList<PromptPosition?>? _promptLogprobs;
    private TokenOutput? _last;

    /// <summary>Runs a request to its end.</summary>
    /// <returns>One output for each of its sequences that has any, in the order of their indices.</returns>
    public static async Task<IReadOnlyList<TokenOutput>> CollectAsync(
        IEngine engine, GenerationRequest request, CancellationToken cancellationToken)
    {
        var sequences = new SortedDictionary<int, JoinedOutput>();
        await foreach (var output in engine.GenerateAsync(request, cancellationToken))
        {
            if (!sequences.TryGetValue(output.Index, out var joined))
            {
                sequences.Add(output.Index, joined = new JoinedOutput());
            }

            joined.Add(output);
        }

        return [.. sequences.Values.Select(joined => joined.Whole())];
    }

    /// <param name="output">The sequence's next.</param>
    public void Add(TokenOutput output)
    {
        _tokens.AddRange(output.TokenIds);
        _logprobs.AddRange(output.Logprobs ?? []);
        _text.Append(output.Text);
        _textLengths.AddRange(output.TextLengths ?? []);
        _promptLogprobs ??= output.PromptLogprobs;
        _last = output;
    }

    /// <summary>One output in place of all that were added; at least one was.</summary>
    public TokenOutput Whole() => _last! with
    {
        TokenIds = _tokens,
        Text = _text.ToString(),
        TextLengths = _textLengths.Count == 0 ? null : _textLengths,
        Logprobs = _logprobs.Count == 0 ? null : _logprobs,
        PromptLogprobs = _promptLogprobs,
    };
}
