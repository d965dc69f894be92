using Cluster.Worker.Serving.Parsing;

namespace Cluster.Worker.Serving.Http;

/// <summary>A call the model made, or its next part, as OpenAI spells it.</summary>
/// <param name="Index">Position among the calls of the message; null in an answer that is sent whole.</param>
/// <param name="Id">Null, as is the type, in all parts but the first.</param>
internal sealed record ToolCall(int? Index, string? Id, string? Type, FunctionCall Function)
{
    /// <summary>The calls among some pieces, each with what they hold of it.</summary>
    public static IReadOnlyList<ToolCall>? Of(IReadOnlyList<OutputPiece> pieces)
    {
        List<ToolCall>? calls = null;
        foreach (var (kind, text, index, id) in pieces)
        {
            if (kind == PieceKind.CallStart)
            {
                (calls ??= []).Add(new ToolCall(index, id, "function", new FunctionCall(text, "")));
            }
            else if (kind == PieceKind.CallArguments)
            {
                calls ??= [];
                if (calls.Count > 0 && calls[^1].Index == index)
                {
                    var function = calls[^1].Function;
                    calls[^1] = calls[^1] with { Function = function with { Arguments = function.Arguments + text } };
                }
                else
                {
                    calls.Add(new ToolCall(index, null, null, new FunctionCall(null, text)));
                }
            }
        }

        return calls;
    }
}

/// <param name="Name">Null in all parts but the first.</param>
/// <param name="Arguments">JSON as text.</param>
internal sealed record FunctionCall(string? Name, string Arguments);
