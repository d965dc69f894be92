using System.Text.Json;
using Cluster.Worker.Engine.Beams;

namespace Cluster.Worker.Serving.Http;

/// <summary>Reads whether and how to search for the likeliest outputs: vLLM's <c>use_beam_search</c>, <c>length_penalty</c> and
/// <c>early_stopping</c>. Called by <see cref="SamplingFields"/>.</summary>
internal static class BeamFields
{
    private const string Switch = "use_beam_search";
    private const string EarlyStoppingName = "early_stopping";

    /// <exception cref="ApiException">A field has the wrong type, or says how to search when nothing is searched.</exception>
    public static BeamParameters? Read(RequestFields fields)
    {
        var parameters = new BeamParameters(fields.Number("length_penalty") ?? 1, EarlyStoppingOf(fields));
        if (fields.Boolean(Switch) ?? false)
        {
            return parameters;
        }

        return parameters == new BeamParameters()
            ? null
            : throw ApiException.BadRequest(
                $"'length_penalty' and '{EarlyStoppingName}' need '{Switch}': true",
                parameters.LengthPenalty == 1 ? EarlyStoppingName : "length_penalty");
    }

    private static EarlyStopping EarlyStoppingOf(RequestFields fields) => fields.Element(EarlyStoppingName) switch
    {
        null or { ValueKind: JsonValueKind.False } => EarlyStopping.Heuristic,
        { ValueKind: JsonValueKind.True } => EarlyStopping.Immediate,
        { ValueKind: JsonValueKind.String } value when value.ValueEquals("never") => EarlyStopping.Never,
        { } value => throw RequestFields.WrongType(EarlyStoppingName, value, "true, false or \"never\""),
    };
}
