using System.Text.Json;

namespace Cluster.Worker.Tokenization.Models;

/// <summary>The model's tokens and their ids, both ways.</summary>
internal sealed class Vocabulary
{
    /// <summary>Far above the largest published vocabulary (Gemma's 262 144); bounds the table of tokens by id.</summary>
    public const int MaxId = (1 << 22) - 1;

    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idsBySpan;

    public Vocabulary(Dictionary<string, int> ids)
    {
        _ids = ids;
        _idsBySpan = ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public IReadOnlyDictionary<string, int> Ids => _ids;

    public bool TryGetId(ReadOnlySpan<char> token, out int id) => _idsBySpan.TryGetValue(token, out id);

    /// <summary>Reads an object of token → id, the spelling BPE and WordPiece models use.</summary>
    public static Vocabulary Read(JsonPart part)
    {
        if (part.Value.ValueKind != JsonValueKind.Object)
        {
            throw part.Error($"is {part.Value.ValueKind}, expected an object of token → id");
        }
        Dictionary<string, int> ids = new(part.Value.GetPropertyCount(), StringComparer.Ordinal);
        foreach (var entry in part.Value.EnumerateObject())
        {
            var token = part.NameOf(entry);
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id is < 0 or > MaxId)
            {
                throw part.Error($"the id of token '{token}' is {entry.Value.GetRawText()}, expected 0 to {MaxId}");
            }
            ids[token] = id;
        }
        return new Vocabulary(ids);
    }
}
