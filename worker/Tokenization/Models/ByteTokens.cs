using System.Globalization;

namespace Cluster.Worker.Tokenization.Models;

/// <summary>The tokens of <c>byte_fallback</c>: <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>. Used by the readers of models that have
/// it.</summary>
internal static class ByteTokens
{
    /// <summary>Id of each byte's token, -1 where the vocabulary has none; null when the model does not fall back to bytes.</summary>
    public static int[]? Read(JsonPart model, Vocabulary vocabulary)
    {
        if (!model.Bool("byte_fallback", false))
        {
            return null;
        }
        var ids = new int[256];
        for (var b = 0; b < ids.Length; b++)
        {
            ids[b] = vocabulary.TryGetId(string.Create(CultureInfo.InvariantCulture, $"<0x{b:X2}>"), out var id) ? id : -1;
        }
        return ids;
    }
}
