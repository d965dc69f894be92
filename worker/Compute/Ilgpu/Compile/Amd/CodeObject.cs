using System.Buffers.Binary;
using System.Collections.Immutable;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Compute.Ilgpu.Compile.Amd;

/// <summary>What the metadata of an AMD code object (version 3 and later) says of its one kernel: a MessagePack map in an ELF
/// note.</summary>
/// <param name="Processor"><c>gfx942</c>, with settings where it needs them.</param>
/// <param name="Kernel">Name of the entry.</param>
/// <param name="KernargBytes">Of the argument block with what the runtime adds.</param>
internal sealed record CodeObject(string Processor, string Kernel, int KernargBytes, ImmutableArray<CodeObjectArgument> Arguments)
{
    private const string TargetBeginning = "amdgcn-amd-amdhsa--";
    private const uint ElfMagic = 0x464c457f;
    private const uint NoteSegment = 4;
    private const uint MetadataNote = 32;
    private const int ViewBytes = 16;

    /// <exception cref="FormatException">It is no code object with one kernel; the message says why.</exception>
    public static CodeObject Read(ReadOnlySpan<byte> elf)
    {
        try
        {
            return OfMetadata(Metadata(elf));
        }
        catch (Exception exception) when (exception is ArgumentOutOfRangeException or InvalidCastException or KeyNotFoundException
            or NullReferenceException or OverflowException)
        {
            throw new FormatException($"no code object of AMD: {exception.Message}", exception);
        }
    }

    /// <summary>Where arguments are written: pointers of all views first, then each parameter, a view as {offset, length}.</summary>
    /// <exception cref="FormatException">The kernel takes other arguments.</exception>
    public ArgumentLayout LayoutFor(Kernel kernel)
    {
        var own = Arguments.Where(argument => !argument.Kind.StartsWith("hidden_", StringComparison.Ordinal)).ToArray();
        var views = kernel.Parameters.Count(parameter => parameter.ElementType is not null);
        if (own.Length != views + kernel.Parameters.Length)
        {
            throw new FormatException($"it takes {own.Length} arguments; {views + kernel.Parameters.Length} are those of the kernel");
        }

        var places = ImmutableArray.CreateBuilder<ArgumentPlace>(kernel.Parameters.Length);
        var pointer = 0;
        for (var i = 0; i < kernel.Parameters.Length; i++)
        {
            var parameter = kernel.Parameters[i];
            var value = Require(own, views + i, "by_value", parameter.ElementType is null ? parameter.ElementBytes : ViewBytes);
            places.Add(parameter.ElementType is null
                ? new ArgumentPlace(value.Offset, -1, 0)
                : new ArgumentPlace(
                    Require(own, pointer++, "global_buffer", sizeof(long)).Offset, value.Offset + sizeof(long), parameter.ElementBytes));
        }

        var bytes = own.Max(argument => argument.Offset + argument.Size);
        return bytes <= Math.Min(KernargBytes, ArgumentLayout.MaxBytes)
            ? new ArgumentLayout(bytes, places.MoveToImmutable())
            : throw new FormatException($"its arguments end at byte {bytes} of a block of {KernargBytes}");
    }

    private static CodeObjectArgument Require(CodeObjectArgument[] arguments, int index, string kind, int size)
    {
        var argument = arguments[index];
        return (argument.Kind, argument.Size) == (kind, size) && argument.Offset >= 0
            ? argument
            : throw new FormatException($"its argument {index} is {argument.Kind} of {argument.Size} bytes, not {kind} of {size}");
    }

    private static CodeObject OfMetadata(Dictionary<string, object?> metadata)
    {
        var target = (string)metadata["amdhsa.target"]!;
        if (!target.StartsWith(TargetBeginning, StringComparison.Ordinal)
            || (List<object?>)metadata["amdhsa.kernels"]! is not [Dictionary<string, object?> kernel])
        {
            throw new FormatException($"a code object for '{target}' that has not one kernel");
        }

        return new CodeObject(
            target[TargetBeginning.Length..], (string)kernel[".name"]!, Number(kernel, ".kernarg_segment_size"),
            [
                .. ((List<object?>)kernel[".args"]!).Cast<Dictionary<string, object?>>().Select(argument => new CodeObjectArgument(
                    Number(argument, ".offset"), Number(argument, ".size"), (string)argument[".value_kind"]!)),
            ]);
    }

    private static int Number(Dictionary<string, object?> map, string key) => (long)map[key]! is >= 0 and <= int.MaxValue and var value
        ? (int)value
        : throw new FormatException($"{key} is {map[key]}");

    private static Dictionary<string, object?> Metadata(ReadOnlySpan<byte> elf)
    {
        if (elf.Length < 64 || BinaryPrimitives.ReadUInt32LittleEndian(elf) != ElfMagic)
        {
            throw new FormatException("no ELF file");
        }

        var first = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(elf[32..]));
        var size = BinaryPrimitives.ReadUInt16LittleEndian(elf[54..]);
        for (var i = 0; i < BinaryPrimitives.ReadUInt16LittleEndian(elf[56..]); i++)
        {
            var header = elf.Slice(first + i * size, 56);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) == NoteSegment)
            {
                var notes = elf.Slice(
                    checked((int)BinaryPrimitives.ReadUInt64LittleEndian(header[8..])),
                    checked((int)BinaryPrimitives.ReadUInt64LittleEndian(header[32..])));
                if (Find(notes) is { } metadata)
                {
                    return metadata;
                }
            }
        }

        throw new FormatException("an ELF file without metadata of AMD");
    }

    private static Dictionary<string, object?>? Find(ReadOnlySpan<byte> notes)
    {
        while (notes.Length >= 12)
        {
            var name = checked((int)BinaryPrimitives.ReadUInt32LittleEndian(notes));
            var length = checked((int)BinaryPrimitives.ReadUInt32LittleEndian(notes[4..]));
            var type = BinaryPrimitives.ReadUInt32LittleEndian(notes[8..]);
            var at = 12 + Aligned(name);
            if (type == MetadataNote && notes.Slice(12, name).SequenceEqual("AMDGPU\0"u8))
            {
                return (Dictionary<string, object?>?)new MessagePack(notes.Slice(at, length)).Read();
            }

            notes = notes[Math.Min(notes.Length, checked(at + Aligned(length)))..];
        }

        return null;
    }

    private static int Aligned(int bytes) => checked(bytes + 3) / 4 * 4;
}
