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

/// <summary>Sizes and safetensors spellings of <see cref="DType"/>.</summary>
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
}
