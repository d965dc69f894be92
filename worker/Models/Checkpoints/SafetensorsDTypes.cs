using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>How safetensors headers spell element types.</summary>
internal static class SafetensorsDTypes
{
    private static readonly Dictionary<string, DType> BySpelling = new(StringComparer.Ordinal)
    {
        ["F64"] = DType.F64,
        ["F32"] = DType.F32,
        ["F16"] = DType.F16,
        ["BF16"] = DType.BF16,
        ["F8_E4M3"] = DType.F8E4M3,
        ["F8_E5M2"] = DType.F8E5M2,
        ["I64"] = DType.I64,
        ["I32"] = DType.I32,
        ["I16"] = DType.I16,
        ["I8"] = DType.I8,
        ["U8"] = DType.U8,
        ["BOOL"] = DType.Bool,
    };

    /// <summary>The spellings that can be read, for messages.</summary>
    public static string Supported { get; } = string.Join(", ", BySpelling.Keys);

    /// <summary>Null for a spelling that cannot be read.</summary>
    public static DType? Find(string spelling) => BySpelling.TryGetValue(spelling, out var dtype) ? dtype : null;

    public static string Spelling(DType dtype) => BySpelling.First(pair => pair.Value == dtype).Key;
}
