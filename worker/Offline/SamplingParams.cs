namespace Cluster.Worker.Offline;

/// <summary>How to choose the tokens of a request and when to stop. Names, meanings, ranges and defaults are vLLM's.</summary>
public sealed record SamplingParams
{
    /// <summary>Outputs to return.</summary>
    public int N { get; init; } = 1;

    /// <summary>Sequences to generate; the likeliest <see cref="N"/> are returned. Null is <see cref="N"/>.</summary>
    public int? BestOf { get; init; }

    /// <summary>0 is greedy.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keeps the smallest set of tokens whose probabilities sum to this; (0, 1].</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keeps the k likeliest tokens; 0 or -1 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps tokens at least this fraction as likely as the likeliest; [0, 1].</summary>
    public float MinP { get; init; }

    /// <summary>Above 1 discourages tokens of prompt and output.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logit of each token already in the output; [-2, 2].</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted for each occurrence in the output; [-2, 2].</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of the given tokens.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Same seed, same prompt, same parameters: same text, whatever the batch. Null draws a seed.</summary>
    public long? Seed { get; init; }

    /// <summary>Most tokens to generate; null generates up to the model's length.</summary>
    public int? MaxTokens { get; init; } = 16;

    /// <summary>No stop token is produced before this many tokens.</summary>
    public int MinTokens { get; init; }

    /// <summary>Texts that end the output.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Tokens that end the output, beside the model's own end-of-sequence tokens.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Goes on past the end-of-sequence token.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Leaves a text of <see cref="Stop"/> in the output.</summary>
    public bool IncludeStopStringInOutput { get; init; }

    /// <summary>Leaves special tokens out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Log-probabilities to report for each output token: the sampled token and this many likeliest. Null reports none.</summary>
    public int? Logprobs { get; init; }

    /// <summary>The same for each prompt token.</summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>Searches for the likeliest outputs instead of sampling, with <see cref="BestOf"/> beams; <see cref="Temperature"/> must be
    /// 0.</summary>
    public bool UseBeamSearch { get; init; }

    /// <summary>Above 0 favours long outputs of a beam search, below 0 short ones.</summary>
    public float LengthPenalty { get; init; } = 1;

    /// <summary>What the text must look like; null leaves it free.</summary>
    public StructuredOutput? StructuredOutput { get; init; }
}
