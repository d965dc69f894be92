using Cluster.Worker.Engine.Beams;

namespace Cluster.Worker.Engine;

/// <summary>How to choose the tokens of one request and when to stop. Names, meanings and ranges are vLLM's.</summary>
internal sealed record SamplingParameters
{
    /// <summary>Outputs to return. Sample i of a request with a seed has seed + i and is what a request of its own with that seed
    /// gives.</summary>
    public int N { get; init; } = 1;

    /// <summary>Sequences to generate; of more than <see cref="N"/>, the likeliest are returned, best first, when all have ended. Null is
    /// <see cref="N"/>.</summary>
    public int? BestOf { get; init; }

    /// <summary>Sequences the engine runs.</summary>
    public int NumSequences => BestOf ?? N;

    /// <summary>0 is greedy.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keeps the smallest set of tokens whose probabilities sum to this; (0, 1].</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keeps the k likeliest tokens; 0 or -1 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps tokens at least this fraction as likely as the likeliest; [0, 1].</summary>
    public float MinP { get; init; }

    /// <summary>Above 1 discourages tokens of prompt and output; must be positive.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logit of each token already in the output; [-2, 2].</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted for each occurrence in the output; [-2, 2].</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of the given tokens; values are clamped to [-100, 100].</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Same seed, same prompt, same parameters: same text, whatever the batch. Null draws a seed.</summary>
    public long? Seed { get; init; }

    /// <summary>Most tokens to generate; null generates up to the model's length. 0 only computes <see cref="PromptLogprobs"/>.</summary>
    public int? MaxTokens { get; init; } = 16;

    /// <summary>No stop token is produced before this many tokens.</summary>
    public int MinTokens { get; init; }

    /// <summary>Texts that end the output.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Tokens that end the output, beside the model's own end-of-sequence tokens.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    public bool IgnoreEos { get; init; }

    public bool IncludeStopStringInOutput { get; init; }

    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Special tokens that the text has although others are skipped: marks that somebody looks for in it.</summary>
    public IReadOnlyList<int> KeptSpecialTokens { get; init; } = [];

    /// <summary>Log-probabilities to report for each output token: the sampled token and this many likeliest. Null reports none.</summary>
    public int? Logprobs { get; init; }

    /// <summary>Log-probabilities to report for each prompt token: its own and this many likeliest. Null reports none.</summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>Searches for the likeliest outputs instead of sampling, with <see cref="NumSequences"/> beams; null samples.</summary>
    public BeamParameters? Beams { get; init; }

    /// <summary>Texts that shall not be generated: the last token of each is forbidden where the ones before it stand.</summary>
    public IReadOnlyList<string> BadWords { get; init; } = [];

    /// <summary>The only tokens that may come; null for all.</summary>
    public IReadOnlyList<int>? AllowedTokenIds { get; init; }

    /// <summary>What the text must look like; null leaves it free.</summary>
    public Constraint? Constraint { get; init; }

    /// <summary>Where the constraint begins to hold; null when it does from the beginning.</summary>
    public ConstraintDelay? ConstraintDelay { get; init; }
}
