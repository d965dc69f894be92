using System.Buffers.Binary;
using System.Collections.Immutable;
using Cluster.Worker.Compute.Ilgpu.Compile;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>How a kernel's arguments lie in the block that a launch hands over, as the kernel's image says.</summary>
/// <param name="Bytes">Of the whole block. What no argument is written to stays 0: a code object's views have an offset, which is 0
/// because the address is that of the first element.</param>
internal sealed record ArgumentLayout(int Bytes, ImmutableArray<ArgumentPlace> Places)
{
    /// <summary>More than drivers take; a file that says so is not one of ours.</summary>
    public const int MaxBytes = 4096;

    /// <summary>Writes the arguments of a launch.</summary>
    /// <param name="block">Zeroed, <see cref="Bytes"/> long.</param>
    /// <exception cref="ArgumentException">There are too few or too many, a view is missing or in the middle of an element.</exception>
    public void Fill(Kernel kernel, ReadOnlySpan<KernelArgument> arguments, Span<byte> block)
    {
        if (arguments.Length != Places.Length)
        {
            throw new ArgumentException($"kernel {kernel} takes {Places.Length} arguments, not {arguments.Length}");
        }

        for (var i = 0; i < arguments.Length; i++)
        {
            var place = Places[i];
            if (place.LengthAt < 0)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(block[place.At..], arguments[i].Bits);
                continue;
            }

            if (arguments[i].Memory is not GpuMemory memory)
            {
                throw new ArgumentException($"kernel {kernel}: argument {i} must be a view of memory of this device");
            }

            if (arguments[i].Offset % place.ElementBytes != 0)
            {
                throw new ArgumentException(
                    $"kernel {kernel}: argument {i} begins at byte {arguments[i].Offset}, in the middle of an element of "
                    + $"{place.ElementBytes} bytes");
            }

            BinaryPrimitives.WriteInt64LittleEndian(block[place.At..], memory.Address + arguments[i].Offset);
            BinaryPrimitives.WriteInt64LittleEndian(block[place.LengthAt..], arguments[i].Bytes / place.ElementBytes);
        }
    }
}
