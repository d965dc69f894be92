namespace Cluster.Worker.Engine.Beams;

/// <summary>When a beam search with as many finished outputs as beams ends. Hugging Face's and vLLM's <c>early_stopping</c>.</summary>
internal enum EarlyStopping
{
    /// <summary>When no beam could get a better score if it ended now (<c>false</c>). Not exact, for a longer output is penalized
    /// less.</summary>
    Heuristic,

    /// <summary>At once (<c>true</c>).</summary>
    Immediate,

    /// <summary>When no beam can get a better score however it goes on (<c>"never"</c>).</summary>
    Never,
}

/// <summary>How beams are scored and when their search ends. Part of <see cref="SamplingParameters"/>; their number is
/// <see cref="SamplingParameters.NumSequences"/>.</summary>
/// <param name="LengthPenalty">A finished output's score is the sum of its tokens' log-probabilities, divided by its length to this power:
/// above 0 favours long outputs, below 0 short ones.</param>
internal sealed record BeamParameters(float LengthPenalty = 1, EarlyStopping EarlyStopping = EarlyStopping.Heuristic);
