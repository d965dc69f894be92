using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Engine;

/// <summary>How an engine runs. Names are those of the worker's flags.</summary>
internal sealed record EngineOptions
{
    /// <summary>Most sequences in one step; the runner's own limit applies too.</summary>
    public int MaxNumSeqs { get; init; } = 256;

    /// <summary>Most tokens in one step, the scheduler's budget; the runner's own limit applies too.</summary>
    public int MaxNumBatchedTokens { get; init; } = 2048;

    /// <summary>Shares full KV blocks between sequences that begin alike.</summary>
    public bool EnablePrefixCaching { get; init; } = true;

    /// <summary>Splits prompts over steps. Without it every sequence must fit one step, so the budget must cover the model's
    /// length.</summary>
    public bool EnableChunkedPrefill { get; init; } = true;

    /// <summary>Whose turn it is, and who gives up blocks when they are short.</summary>
    public SchedulingPolicy SchedulingPolicy { get; init; }

    /// <summary>Requests that may wait beyond those that can run; one more is refused.</summary>
    public int MaxQueue { get; init; } = 1024;

    /// <summary>Most tokens of a prompt; null leaves it to the model's length.</summary>
    public int? MaxPromptTokens { get; init; }

    /// <summary>Seeds requests that bring no seed of their own; null draws one at start.</summary>
    public long? Seed { get; init; }

    /// <summary>Tokens that end a sequence, from the model's generation_config.json.</summary>
    public IReadOnlyCollection<int> EosTokenIds { get; init; } = [];

    /// <summary>Most log-probabilities a request may ask for at each position.</summary>
    public int MaxLogprobs { get; init; } = 20;

    /// <summary>Tokens to guess in a step; used when the engine is given something that guesses.</summary>
    public int NumSpeculativeTokens { get; init; } = 1;

    /// <summary>Decode steps a plan covers: between them nobody is admitted and nothing is planned. Saves time between steps, costs
    /// arrivals time to their first token. Not together with guessing.</summary>
    public int NumSchedulerSteps { get; init; } = 1;

    /// <summary>Time between two looks at whether the model still gives a known answer; zero for none.</summary>
    public TimeSpan ProbeInterval { get; init; }

    /// <summary>Checks the options against what the runner can do.</summary>
    /// <returns>The options with the runner's limits applied.</returns>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    public EngineOptions For(IModelRunner runner, int maxModelLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxNumSeqs, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxNumBatchedTokens, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(MaxQueue);
        ArgumentOutOfRangeException.ThrowIfNegative(MaxLogprobs);
        ArgumentOutOfRangeException.ThrowIfLessThan(NumSchedulerSteps, 1);
        var budget = Math.Min(MaxNumBatchedTokens, runner.MaxBatchedTokens);
        if (!EnableChunkedPrefill && budget < maxModelLength)
        {
            throw new ArgumentException(
                $"without chunked prefill a step must take a whole sequence: --max-num-batched-tokens is {budget}, the model's length "
                + $"{maxModelLength}; raise the one, lower the other (--max-model-len), or enable chunked prefill");
        }

        // A sequence decodes in every step, so there can be no more of them than rows.
        var sequences = Math.Min(Math.Min(MaxNumSeqs, runner.MaxSequences), budget);
        return this with { MaxNumBatchedTokens = budget, MaxNumSeqs = sequences };
    }
}
