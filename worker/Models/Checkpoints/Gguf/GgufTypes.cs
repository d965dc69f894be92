using System.Collections.Immutable;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Sizes and names of <see cref="GgufType"/>, and the names of those that cannot be read.</summary>
internal static class GgufTypes
{
    /// <summary>By number; null where none was given out, or where it was taken back.</summary>
    private static readonly ImmutableArray<string?> Names =
    [
        "F32", "F16", "Q4_0", "Q4_1", null, null, "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K",
        "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64", "IQ1_M", "BF16",
        null, null, null, "TQ1_0", "TQ2_0", null, null, null, "MXFP4",
    ];

    public static string Supported { get; } = string.Join(", ", Enum.GetNames<GgufType>());

    /// <summary>The type of a number; null where it cannot be read.</summary>
    public static GgufType? Of(uint number) =>
        number < Names.Length && Enum.IsDefined((GgufType)number) ? (GgufType)number : null;

    /// <summary>What a number is called, whether it can be read or not.</summary>
    public static string Spelling(uint number) =>
        number < Names.Length && Names[(int)number] is { } name ? name : $"of type {number}";

    /// <summary>Null where elements come in blocks.</summary>
    public static DType? Plain(this GgufType type) => type switch
    {
        GgufType.F32 => DType.F32,
        GgufType.F16 => DType.F16,
        GgufType.BF16 => DType.BF16,
        _ => null,
    };

    /// <summary>Elements in a block; 1 where there are none.</summary>
    public static int BlockSize(this GgufType type) => type switch
    {
        GgufType.Q4_0 or GgufType.Q8_0 => 32,
        GgufType.Q4_K or GgufType.Q5_K or GgufType.Q6_K => 256,
        _ => 1,
    };

    /// <summary>Bytes of a block. No two types with blocks have as many, so that they tell the type.</summary>
    public static int BlockBytes(this GgufType type) => type switch
    {
        GgufType.F32 => 4,
        GgufType.F16 or GgufType.BF16 => 2,
        GgufType.Q4_0 => 18,
        GgufType.Q8_0 => 34,
        GgufType.Q4_K => 144,
        GgufType.Q5_K => 176,
        GgufType.Q6_K => 210,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "has no blocks"),
    };

    /// <summary>The type whose blocks have so many bytes.</summary>
    public static GgufType OfBlockBytes(int bytes) =>
        Enum.GetValues<GgufType>().Single(type => type.Plain() is null && type.BlockBytes() == bytes);
}
