using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Compute;

/// <summary>Checkpoint tensors in generated memory.</summary>
internal static class HostTensors
{
    /// <summary>Rounds the values to the dtype. One byte off alignment, as safetensors may be.</summary>
    public static unsafe HostTensor Of(string name, DType dtype, ReadOnlySpan<float> values, params int[] shape)
    {
        var size = dtype.Size();
        var memory = GC.AllocateArray<byte>(values.Length * size + 2, pinned: true);
        var bytes = memory.AsSpan(1);
        for (var i = 0; i < values.Length; i++)
        {
            switch (dtype)
            {
                case DType.F32:
                    MemoryMarshal.Write(bytes[(i * 4)..], values[i]);
                    break;
                case DType.F16:
                    MemoryMarshal.Write(bytes[(i * 2)..], (Half)values[i]);
                    break;
                case DType.BF16:
                    MemoryMarshal.Write(bytes[(i * 2)..], ToBf16(values[i]));
                    break;
                default:
                    break;
            }
        }

        return new HostTensor(name, dtype, ImmutableArray.Create(shape), (nint)Unsafe.AsPointer(ref memory[1]), memory);
    }

    /// <summary>Elements as they are. One byte off alignment.</summary>
    public static unsafe HostTensor Raw(string name, DType dtype, ReadOnlySpan<byte> bytes, params int[] shape)
    {
        var memory = GC.AllocateArray<byte>(bytes.Length + 2, pinned: true);
        bytes.CopyTo(memory.AsSpan(1));
        return new HostTensor(name, dtype, ImmutableArray.Create(shape), (nint)Unsafe.AsPointer(ref memory[1]), memory);
    }

    /// <summary>What a dtype makes of a value, found without the code under test.</summary>
    public static float Rounded(DType dtype, float value) => dtype switch
    {
        DType.F16 => (float)(Half)value,
        DType.BF16 => BitConverter.Int32BitsToSingle(ToBf16(value) << 16),
        _ => value,
    };

    public static float[] Random(Random random, int count, float scale = 1) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 2 - 1) * scale)];

    private static ushort ToBf16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
