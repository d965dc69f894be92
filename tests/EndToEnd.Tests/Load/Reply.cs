using System.Text;

namespace Cluster.EndToEnd.Tests.Load;

/// <summary>What a stream brings at once.</summary>
/// <param name="Logprobs">Of each token sampled, to the last bit.</param>
internal sealed record ReplyPart(string Text, IReadOnlyList<float> Logprobs, string? FinishReason);

/// <summary>What a stream has brought so far; whole when it has a finish reason.</summary>
internal sealed class Reply
{
    private readonly StringBuilder _text = new();
    private readonly List<float> _logprobs = [];

    public string Text => _text.ToString();

    public IReadOnlyList<float> Logprobs => _logprobs;

    public string? FinishReason { get; private set; }

    public void Add(ReplyPart part)
    {
        Assert.Null(FinishReason);
        _text.Append(part.Text);
        _logprobs.AddRange(part.Logprobs);
        FinishReason = part.FinishReason;
    }

    /// <summary>Asserts that this is to the last bit what the same request gave another time.</summary>
    public void AssertSameAs(Reply other)
    {
        Assert.Equal(other.Text, Text);
        Assert.Equal(other.Logprobs, Logprobs);
        Assert.Equal(other.FinishReason, FinishReason);
    }
}
