using System.Text;

namespace Cluster.Worker.Engine;

/// <summary>Outputs of one sequence put together, for those that leave whole: the best of several, and beams. Used by <see cref="BestOutputs"/> and
/// <see cref="Beams.BeamSearch"/>.</summary>
internal sealed class JoinedOutput
{
    private readonly List<int> tokens = [];
    private readonly List<PositionLogprobs> logprobs = [];
    private readonly StringBuilder text = new();
    private IReadOnlyList<PromptPosition?>? promptLogprobs;
    private TokenOutput? last;

    /// <param name="output">The sequence's next.</param>
    public void Add(TokenOutput output)
    {
        tokens.AddRange(output.TokenIds);
        logprobs.AddRange(output.Logprobs ?? []);
        text.Append(output.Text);
        promptLogprobs ??= output.PromptLogprobs;
        last = output;
    }

    /// <summary>One output in place of all that were added; at least one was.</summary>
    public TokenOutput Whole() => last! with
    {
        TokenIds = tokens,
        Text = text.ToString(),
        Logprobs = logprobs.Count == 0 ? null : logprobs,
        PromptLogprobs = promptLogprobs,
    };
}
