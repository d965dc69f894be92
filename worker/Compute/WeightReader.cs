using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute;

/// <summary>Reads elements of checkpoint tensors as floats. Called by backends while they load weights; calls nothing but
/// <see cref="HostTensor"/>.</summary>
internal static class WeightReader
{
    /// <summary>Spellings of <see cref="DType"/> in checkpoints that <see cref="ReadRow"/> understands.</summary>
    public const string SupportedDTypes = "F32, F16, BF16";

    /// <summary>Whether <see cref="ReadRow"/> can read the tensor.</summary>
    public static bool CanRead(DType type) => type is DType.F32 or DType.F16 or DType.BF16;

    /// <summary>Rejects what cannot be read, before anything is allocated for it.</summary>
    /// <exception cref="NotSupportedException">Names the tensor, its dtype and what is supported.</exception>
    public static void RequireReadable(HostTensor tensor)
    {
        if (!CanRead(tensor.DType))
        {
            throw new NotSupportedException($"tensor '{tensor.Name}' is {Spelling(tensor.DType)}; supported: {SupportedDTypes}");
        }
    }

    /// <summary>Widens one row to floats; exact for every supported dtype.</summary>
    /// <param name="destination">At least <see cref="HostTensor.RowLength"/> elements.</param>
    /// <exception cref="NotSupportedException">The dtype cannot be read.</exception>
    public static void ReadRow(HostTensor tensor, int row, Span<float> destination)
    {
        RequireReadable(tensor);
        Widen(tensor.DType, tensor.Row(row), destination);
    }

    /// <summary>All elements, row after row.</summary>
    /// <exception cref="NotSupportedException">The dtype cannot be read.</exception>
    public static float[] ReadAll(HostTensor tensor)
    {
        RequireReadable(tensor);
        var length = tensor.RowLength;
        var values = new float[checked(tensor.Rows * length)];
        for (var row = 0; row < tensor.Rows; row++)
        {
            Widen(tensor.DType, tensor.Row(row), values.AsSpan(row * length, length));
        }

        return values;
    }

    /// <summary>Widens raw elements of a readable dtype. Works at any alignment: safetensors aligns nothing but its header.</summary>
    public static void Widen(DType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case DType.F32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case DType.BF16:
                ref var bits = ref MemoryMarshal.GetReference(source);
                for (var i = 0; i < source.Length / 2; i++)
                {
                    var half = Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref bits, 2 * i));
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)half << 16);
                }

                break;
            case DType.F16:
                ref var halves = ref MemoryMarshal.GetReference(source);
                for (var i = 0; i < source.Length / 2; i++)
                {
                    destination[i] = (float)Unsafe.ReadUnaligned<Half>(ref Unsafe.Add(ref halves, 2 * i));
                }

                break;
            default:
                throw new NotSupportedException($"{Spelling(type)} elements cannot be read; supported: {SupportedDTypes}");
        }
    }

    private static string Spelling(DType type) => type switch
    {
        DType.F8E4M3 => "F8_E4M3",
        DType.F8E5M2 => "F8_E5M2",
        DType.Bool => "BOOL",
        _ => type.ToString(),
    };
}
