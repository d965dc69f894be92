namespace Cluster.Worker.Compute;

/// <summary>Element types of tensors on the host (as checkpoints store them) and on a device.</summary>
internal enum DType
{
    F32,
    F16,
    BF16,
    F8E4M3,
    F8E5M2,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
    F64,
}

/// <summary>Sizes of <see cref="DType"/>, and the names that config.json and vLLM's flags have for some of them.</summary>
internal static class DTypes
{
    /// <summary>Bytes one element takes.</summary>
    public static int Size(this DType type) => type switch
    {
        DType.F64 or DType.I64 => 8,
        DType.F32 or DType.I32 => 4,
        DType.F16 or DType.BF16 or DType.I16 => 2,
        _ => 1,
    };

    /// <summary>The type that config.json calls by this name; null for any other name.</summary>
    public static DType? OfName(string name) => name switch
    {
        "float32" => DType.F32,
        "float16" => DType.F16,
        "bfloat16" => DType.BF16,
        _ => null,
    };

    /// <summary>What <see cref="OfName"/> takes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type has no such name.</exception>
    public static string Name(this DType type) => type switch
    {
        DType.F32 => "float32",
        DType.F16 => "float16",
        DType.BF16 => "bfloat16",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "has no name in config.json"),
    };
}
