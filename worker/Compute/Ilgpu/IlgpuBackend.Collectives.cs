using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>The other ranks of a group: from device to device on the launcher's stream (<see cref="IlgpuOptions.Devices"/>), or from the
/// device to the host, through the group there, and back.</content>
internal sealed partial class IlgpuBackend
{
    private float[] _own = [];
    private float[] _gathered = [];
    private Scratchpad _stacked;

    /// <summary>Terms up to this many bytes are summed by every rank: fetching them costs less than a second message.</summary>
    private const long ShortSumBytes = 256 << 10;

    /// <summary>Floats: slices begin where memory transactions do.</summary>
    private const int SliceAlignment = 64;

    public override void AllReduce(Tensor x)
    {
        if (_options.Devices is { } devices)
        {
            Sum(devices, RangeOf(x, DType.F32, (long)x.Rows * x.Columns));
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

    /// <summary>x = Σ over ranks in rank order, on the launcher's stream.</summary>
    private void Sum(DeviceCommunicator devices, MemoryRange x)
    {
        var launcher = (IStreamLauncher)_launcher;
        var count = x.Bytes / sizeof(float);
        if (count == 0)
        {
            return;
        }

        if (devices.Size == 2)
        {
            // One addition: there is no order to choose.
            devices.AllReduce(launcher.AddressOf(x), count, launcher.Stream);
        }
        else if (x.Bytes <= ShortSumBytes)
        {
            Scratch(ref _stacked, "terms of a sum", x.Bytes * devices.Size);
            devices.AllGather(launcher.AddressOf(x), launcher.AddressOf(_stacked.Memory), count, launcher.Stream);
            LaunchSum(_stacked.Memory, x, devices.Size, count);
        }
        else
        {
            SumSlices(devices, launcher, x, count);
        }
    }

    /// <summary>Each rank sums one slice for all: as much is sent as a ring of the library's sends.</summary>
    private void SumSlices(DeviceCommunicator devices, IStreamLauncher launcher, MemoryRange x, long count)
    {
        var (size, own) = (devices.Size, devices.Rank);
        var slice = (((count + size - 1) / size) + SliceAlignment - 1) / SliceAlignment * SliceAlignment;
        Scratch(ref _stacked, "terms of a sum", sizeof(float) * slice * size);
        var terms = _stacked.Memory;
        var ownSlice = SliceOf(own);
        launcher.Copy(ownSlice, terms.Slice(sizeof(float) * slice * own, ownSlice.Bytes));
        Span<RankMessage> messages = stackalloc RankMessage[2 * (size - 1)];
        var message = 0;
        for (var peer = 0; peer < size; peer++)
        {
            if (peer != own)
            {
                messages[message++] = Message(peer, SliceOf(peer), isReceived: false);
                messages[message++] = Message(peer, terms.Slice(sizeof(float) * slice * peer, ownSlice.Bytes), isReceived: true);
            }
        }

        devices.Exchange(messages, launcher.Stream);
        LaunchSum(terms, ownSlice, size, slice);
        message = 0;
        for (var peer = 0; peer < size; peer++)
        {
            if (peer != own)
            {
                messages[message++] = Message(peer, ownSlice, isReceived: false);
                messages[message++] = Message(peer, SliceOf(peer), isReceived: true);
            }
        }

        devices.Exchange(messages, launcher.Stream);

        RankMessage Message(int peer, MemoryRange range, bool isReceived) =>
            new(peer, launcher.AddressOf(range), range.Bytes / sizeof(float), isReceived);

        // The last ranks' slices of a message that is hardly long are short, or empty.
        MemoryRange SliceOf(int rank)
        {
            var begin = Math.Min(rank * slice, count);
            return x.Slice(sizeof(float) * begin, sizeof(float) * (Math.Min(begin + slice, count) - begin));
        }
    }

    /// <param name="stride">Floats of a rank's terms.</param>
    private void LaunchSum(MemoryRange terms, MemoryRange sums, int ranks, long stride)
    {
        var count = checked((int)(sums.Bytes / sizeof(float)));
        _launcher.Launch(
            BackendKernels.RankSum, new GridSize(GridSize.Groups(count, Wave.Lanes)), terms, sums, ranks, checked((int)stride), count);
    }

    /// <summary>The library stacks the ranks' parts; here they stand side by side.</summary>
    private void Gather(DeviceCommunicator devices, Tensor part, Tensor output)
    {
        var launcher = (IStreamLauncher)_launcher;
        var count = (long)part.Rows * part.Columns;
        var bytes = sizeof(float) * count;
        Scratch(ref _stacked, "gathered parts", bytes * devices.Size);
        devices.AllGather(
            launcher.AddressOf(RangeOf(part, DType.F32, count)), launcher.AddressOf(_stacked.Memory), count, launcher.Stream);
        var (row, rowOfAll) = (sizeof(float) * (long)part.Columns, sizeof(float) * (long)output.Columns);
        var all = RangeOf(output, DType.F32, count * devices.Size);
        for (var rank = 0; rank < devices.Size && part.Rows > 0; rank++)
        {
            launcher.CopyRows(
                _stacked.Memory.Slice(rank * bytes, bytes), row, all.Slice(rank * row, all.Bytes - rank * row), rowOfAll, row, part.Rows);
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
