using System.Text.Json;

namespace Cluster.Worker.Tokenization.Models;

/// <summary>Reads the <c>Unigram</c> model of tokenizer.json, whose vocabulary is a list of <c>["token", score]</c>; the place in the list
/// is the id.</summary>
internal static class UnigramReader
{
    public static Unigram Read(JsonPart part, out Vocabulary vocabulary)
    {
        var list = part.Required("vocab");
        if (list.Value.ValueKind != JsonValueKind.Array)
        {
            throw list.Error($"is {list.Value.ValueKind}, expected an array of [token, score]");
        }
        var count = list.Value.GetArrayLength();
        if (count is 0 or > Vocabulary.MaxId)
        {
            throw list.Error($"has {count} tokens, expected 1 to {Vocabulary.MaxId}");
        }
        List<string> tokens = new(count);
        var scores = new double[count];
        Dictionary<string, int> ids = new(count, StringComparer.Ordinal);
        foreach (var item in list.Items())
        {
            (var token, var score) = ReadToken(item);
            scores[tokens.Count] = score;
            ids[token] = tokens.Count;
            tokens.Add(token);
        }
        vocabulary = new Vocabulary(ids);
        var unknownId = part.Optional("unk_id")?.Int();
        return unknownId is null || (uint)unknownId < (uint)count
            ? new Unigram(tokens, scores, vocabulary, unknownId, ByteTokens.Read(part, vocabulary))
            : throw part.Error($"'unk_id' is {unknownId}, expected 0 to {count - 1}");
    }

    private static (string Token, double Score) ReadToken(JsonPart item)
    {
        if (item.Value.ValueKind != JsonValueKind.Array || item.Value.GetArrayLength() != 2)
        {
            throw item.Error("is not a pair of token and score");
        }
        var token = new JsonPart(item.File, item.Path + "[0]", item.Value[0]).Text();
        if (token.Length > Unigram.MaxTokenLength)
        {
            throw item.Error($"has a token of {token.Length} characters; at most {Unigram.MaxTokenLength} are supported");
        }
        var score = item.Value[1];
        return score.ValueKind == JsonValueKind.Number && score.TryGetDouble(out var value) && double.IsFinite(value)
            ? (token, value)
            : throw item.Error($"has a score that is not a finite number");
    }
}
