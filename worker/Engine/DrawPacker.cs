using Cluster.Worker.Draws;

namespace Cluster.Worker.Engine;

/// <summary>Writes how a sequence's next token is chosen into a step's <see cref="DrawBatch"/>, for a device to choose what
/// <see cref="Sampler"/> would. Called by <see cref="LlmEngine"/> before a step is launched.</summary>
internal static class DrawPacker
{
    /// <summary>A device's arithmetic is exact for temperatures from this one's inverse up to this.</summary>
    private const float MostTemperature = 1L << 40;

    /// <summary>The same for repetition penalties.</summary>
    private const float MostPenalty = 1L << 60;

    /// <param name="row">The sequence's row among the step's logits.</param>
    /// <param name="wantsLogprob">Whether the token's log-probability is wanted.</param>
    /// <returns>False when the host has to choose, for what it takes is more than a device has room for.</returns>
    /// <exception cref="GenerationFailedException">The structured output has failed. The batch is as before.</exception>
    public static bool TryAdd(DrawBatch draws, int row, SamplingState state, int vocabSize, bool wantsLogprob)
    {
        var parameters = state.Parameters;
        var isExact = (parameters.Temperature == 0 || IsWithin(parameters.Temperature, MostTemperature))
            && IsWithin(parameters.RepetitionPenalty, MostPenalty);
        if (!isExact || draws.NumAdjustments + NumAdjustments(state) > DrawBatch.MaxAdjustments)
        {
            return false;
        }

        var random = CounterRandom.Bits53(state.Seed, (ulong)state.NumAccepted);
        draws.Add(
            new DrawParameters
            {
                Row = row,
                Slot = state.AdjustsLogits ? AddSlot(draws, row, state) : -1,
                Temperature = parameters.Temperature,
                MinP = parameters.MinP,
                TopK = parameters.TopK > 0 && parameters.TopK < vocabSize ? parameters.TopK : 0,
                Share = parameters.TopP < 1 ? TokenMass.ShareOf(parameters.TopP) : 0,
                RandomHigh = (uint)(random >> 32),
                RandomLow = (uint)random,
            },
            wantsLogprob);
        return true;
    }

    private static bool IsWithin(float value, float most) => value >= 1 / most && value <= most;

    private static int NumAdjustments(SamplingState state) => (state.MasksStopTokens ? state.StopTokens.Length : 0)
        + state.ForbiddenTokens.Count
        + (state.Parameters.LogitBias?.Count ?? 0) + (state.SeenTokens?.Count ?? 0) + (state.OutputCounts?.Count ?? 0);

    private static int AddSlot(DrawBatch draws, int row, SamplingState state)
    {
        var parameters = state.Parameters;
        var slot = draws.AddSlot(row, state.Mask);
        foreach (var token in state.ForbiddenTokens)
        {
            draws.Adjust(AdjustmentKind.Forbid, slot, token, 0);
        }

        if (state.MasksStopTokens)
        {
            foreach (var token in state.StopTokens)
            {
                draws.Adjust(AdjustmentKind.Forbid, slot, token, 0);
            }
        }

        if (parameters.LogitBias is not null)
        {
            foreach (var (token, bias) in parameters.LogitBias)
            {
                draws.Adjust(AdjustmentKind.Add, slot, token, Math.Clamp(bias, -100, 100));
            }
        }

        if (state.SeenTokens is not null)
        {
            foreach (var token in state.SeenTokens)
            {
                draws.Adjust(AdjustmentKind.Penalize, slot, token, parameters.RepetitionPenalty);
            }
        }

        if (state.OutputCounts is not null)
        {
            foreach (var (token, count) in state.OutputCounts)
            {
                draws.Adjust(AdjustmentKind.Subtract, slot, token, parameters.FrequencyPenalty * count + parameters.PresencePenalty);
            }
        }

        return slot;
    }
}
