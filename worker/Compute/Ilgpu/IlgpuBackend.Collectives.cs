using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>The other ranks of a group: from device to device on the launcher's stream (<see cref="IlgpuOptions.Devices"/>), or from the
/// device to the host, through the group there, and back.</content>
internal sealed partial class IlgpuBackend
{
    private float[] _own = [];
    private float[] _gathered = [];
    private MemoryRange _stacked;

    public override void AllReduce(Tensor x)
    {
        if (_options.Devices is { } devices)
        {
            var launcher = (IStreamLauncher)_launcher;
            var count = (long)x.Rows * x.Columns;
            devices.AllReduce(launcher.AddressOf(RangeOf(x, DType.F32, count)), count, launcher.Stream);
        }
        else if (_options.Communicator is { Size: > 1 } ranks)
        {
            var values = Host(ref _own, checked(x.Rows * x.Columns));
            Download(x, values);
            ranks.AllReduce(values);
            _launcher.Write(RangeOf(x, DType.F32, values.Length), MemoryMarshal.AsBytes(values));
        }
    }

    public override void AllGather(Tensor part, Tensor output)
    {
        if (_options.Communicator is not { } ranks)
        {
            base.AllGather(part, output);
            return;
        }

        Require(output, part.Rows, checked(part.Columns * ranks.Size));
        if (_options.Devices is { } devices)
        {
            Gather(devices, part, output);
            return;
        }

        var values = Host(ref _own, checked(part.Rows * part.Columns));
        Download(part, values);
        var stacked = Host(ref _gathered, checked(2 * values.Length * ranks.Size));
        var parts = stacked[..(values.Length * ranks.Size)];
        var sideBySide = stacked[parts.Length..];
        ranks.AllGather(values, parts);
        for (var rank = 0; rank < ranks.Size; rank++)
        {
            for (var row = 0; row < part.Rows; row++)
            {
                parts.Slice(rank * values.Length + row * part.Columns, part.Columns)
                    .CopyTo(sideBySide[(row * output.Columns + rank * part.Columns)..]);
            }
        }

        _launcher.Write(RangeOf(output, DType.F32, sideBySide.Length), MemoryMarshal.AsBytes(sideBySide));
    }

    /// <summary>The library stacks the ranks' parts; here they stand side by side.</summary>
    private void Gather(DeviceCommunicator devices, Tensor part, Tensor output)
    {
        var launcher = (IStreamLauncher)_launcher;
        var count = (long)part.Rows * part.Columns;
        var bytes = sizeof(float) * count;
        Scratch(ref _stacked, "gathered parts", bytes * devices.Size);
        devices.AllGather(
            launcher.AddressOf(RangeOf(part, DType.F32, count)), launcher.AddressOf(_stacked), count, launcher.Stream);
        var (row, rowOfAll) = (sizeof(float) * (long)part.Columns, sizeof(float) * (long)output.Columns);
        var all = RangeOf(output, DType.F32, count * devices.Size);
        for (var rank = 0; rank < devices.Size && part.Rows > 0; rank++)
        {
            launcher.CopyRows(
                _stacked.Slice(rank * bytes, bytes), row, all.Slice(rank * row, all.Bytes - rank * row), rowOfAll, row, part.Rows);
        }
    }

    /// <summary>Host memory that a device copies into directly; grows to the largest step ever seen.</summary>
    private static Span<float> Host(ref float[] values, int count)
    {
        if (values.Length < count)
        {
            values = GC.AllocateUninitializedArray<float>(count, pinned: true);
        }

        return values.AsSpan(0, count);
    }
}
