using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>What every launcher of GPUs must do, on a driver that checks it.</summary>
public abstract class GpuLauncherTests : IDisposable
{
    private const int Unknown = 999;

    private readonly FakeGpu _gpu;

    private protected GpuLauncherTests(FakeGpu gpu) => _gpu = gpu;

    private protected FakeGpu Gpu => _gpu;

    /// <summary>Name and UUID of the first device.</summary>
    private protected abstract string Title { get; }

    /// <summary>The driver's name of error 999.</summary>
    private protected abstract string UnknownError { get; }

    public void Dispose()
    {
        _gpu.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void What_is_written_copied_and_cleared_is_read_back_in_that_order()
    {
        // More than the pinned parts hold together, so that each is used again while earlier copies wait.
        var values = new byte[(40 << 20) + 13];
        new Random(1).NextBytes(values);
        using (var launcher = Launcher())
        {
            using var memory = launcher.Allocate(values.Length);
            using var other = launcher.Allocate(values.Length);
            MemoryRange all = new(memory, 0, values.Length), copy = new(other, 0, values.Length);
            launcher.Write(all, values);
            launcher.Copy(all, copy);
            launcher.Clear(copy.Slice(100, 50));
            launcher.Clear(all);
            values.AsSpan(100, 50).Clear();
            var read = new byte[values.Length];
            launcher.Read(copy, read);

            Assert.True(values.AsSpan().SequenceEqual(read));
            launcher.Read(all, read);
            Assert.Equal(-1, read.AsSpan().IndexOfAnyExcept((byte)0));
        }

        AssertNothingIsLeft();
    }

    [Fact]
    public void Staging_memory_is_filled_again_only_when_the_device_has_read_it()
    {
        using (IKernelLauncher launcher = Launcher())
        {
            const int Bytes = 3 << 20;
            using var memory = launcher.Allocate(8 * Bytes);
            using StagingMemory first = launcher.Stage(Bytes), second = launcher.Stage(Bytes);
            for (var i = 0; i < 8; i++)
            {
                var staging = i % 2 == 0 ? first : second;
                Fill(staging, (byte)(i + 1));
                launcher.Write(new MemoryRange(memory, i * Bytes, Bytes), staging, Bytes);
            }

            var read = new byte[8 * Bytes];
            launcher.Read(new MemoryRange(memory, 0, read.Length), read);

            Assert.All(Enumerable.Range(0, 8), i => Assert.Equal(
                -1, read.AsSpan(i * Bytes, Bytes).IndexOfAnyExcept((byte)(i + 1))));
            Assert.Throws<ArgumentOutOfRangeException>(() => launcher.Write(new MemoryRange(memory, 0, 4), first, 8));
        }

        AssertNothingIsLeft();
    }

    /// <summary>The fake sees what the test above is there to prevent.</summary>
    [Fact]
    public void Staging_memory_that_is_filled_too_early_shows()
    {
        using (IKernelLauncher launcher = Launcher())
        {
            using var memory = launcher.Allocate(64);
            using var staging = launcher.Stage(64);
            Fill(staging, 1);
            var address = staging.Take();
            launcher.Write(new MemoryRange(memory, 0, 64), staging, 64);
            System.Runtime.InteropServices.Marshal.WriteByte(address, 2);
            launcher.Synchronize();
        }

        Assert.Equal("complaint: 64 bytes of pinned memory changed before they were copied\n", _gpu.Text);
    }

    [Fact]
    public void Rows_that_stand_apart_are_copied_to_where_they_stand_apart()
    {
        using (var launcher = Launcher())
        {
            using var memory = launcher.Allocate(64);
            var all = new MemoryRange(memory, 0, 64);
            launcher.Write(all, [.. Enumerable.Range(0, 64).Select(i => (byte)i)]);
            launcher.CopyRows(all.Slice(0, 12), 4, all.Slice(32, 32), 8, 3, 3);
            var read = new byte[64];
            launcher.Read(all, read);

            Assert.Equal([0, 1, 2, 35, 36, 37, 38, 39, 4, 5, 6, 43, 44, 45, 46, 47, 8, 9, 10, 51], read[32..52]);
            Assert.Throws<ArgumentOutOfRangeException>(() => launcher.CopyRows(all.Slice(0, 10), 4, all, 8, 3, 3));
        }

        AssertNothingIsLeft();
    }

    [Fact]
    public void Memory_that_the_device_does_not_have_is_refused_and_the_device_goes_on()
    {
        _gpu.SetMemory(4096);
        using var launcher = Launcher();
        using var memory = launcher.Allocate(4000);
        var refused = Assert.Throws<InsufficientMemoryException>(() => launcher.Allocate(100));

        Assert.Equal($"{Title} has no 100 bytes: 96 of 4096 are free", refused.Message);
        launcher.Clear(new MemoryRange(memory, 0, 4000));
        launcher.Synchronize();
    }

    [Fact]
    public void A_device_that_fails_is_lost_and_can_still_be_given_up()
    {
        var launcher = Launcher();
        var memory = launcher.Allocate(64);
        var range = new MemoryRange(memory, 0, 64);
        _gpu.Lose(Unknown);
        string[] messages =
        [
            .. new Action[]
            {
                launcher.Synchronize, () => launcher.Clear(range), () => launcher.Write(range, new byte[64]),
                () => launcher.Copy(range, range),
                () => launcher.Read(range, new byte[64]), () => launcher.Allocate(64), launcher.BeginCapture,
            }.Select(action => Assert.Throws<DeviceLostException>(action).Message),
        ];

        Assert.All(messages, message => Assert.StartsWith($"device {Title} failed: ", message));
        Assert.EndsWith($"waiting for the stream: {UnknownError} (999)", messages[0]);
        memory.Dispose();
        launcher.Dispose();
        AssertNothingIsLeft();
    }

    [Fact]
    public void Arguments_lie_where_the_code_object_says_and_memory_is_what_it_was()
    {
        using (var launcher = Launcher())
        {
            using var memory = launcher.Allocate(4096);
            var x = new MemoryRange(memory, 256, 512);
            launcher.Clear(x);
            launcher.Launch(BackendKernels.Add, new GridSize(2), x, new MemoryRange(memory, 1024, 512), 128);
            launcher.Launch(BackendKernels.Rms, new GridSize(3), x, x, x, x, 32, 1e-5f, true);
            launcher.Launch(BackendKernels.Rms, new GridSize(0), x, x, x, x, 32, 1e-5f, true);
            launcher.Synchronize();

            Assert.Equal((2, 2), (launcher.KernelsBuilt, _gpu.Launches));
            Assert.Contains("takes 7 arguments, not 3", Assert.Throws<ArgumentException>(() =>
                launcher.Launch(BackendKernels.Rms, new GridSize(3), x, x, 32)).Message);
            Assert.Contains("in the middle of an element of 4 bytes", Assert.Throws<ArgumentException>(() =>
                launcher.Launch(BackendKernels.Add, new GridSize(1), new MemoryRange(memory, 2, 16), x, 4)).Message);
        }

        AssertNothingIsLeft();
    }

    [Fact]
    public void Memory_used_after_it_was_given_back_shows()
    {
        using var launcher = Launcher();
        var memory = launcher.Allocate(64);
        var range = new MemoryRange(memory, 0, 64);
        memory.Dispose();
        memory.Dispose();

        Assert.Throws<ObjectDisposedException>(() => launcher.Clear(range));
        Assert.Throws<ObjectDisposedException>(() => launcher.Launch(BackendKernels.Add, new GridSize(1), range, range, 4));
    }

    [Fact]
    public void A_graph_does_again_what_was_captured_on_what_memory_holds_then()
    {
        using (var launcher = Launcher())
        {
            using var memory = launcher.Allocate(64);
            MemoryRange source = new(memory, 0, 16), target = new(memory, 16, 16);
            launcher.Clear(new MemoryRange(memory, 0, 64));
            launcher.BeginCapture();
            launcher.Copy(source, target);
            using var graph = launcher.EndCapture()!;
            var read = new byte[16];
            foreach (var value in (byte[])[7, 9])
            {
                launcher.Read(target, read);
                Assert.DoesNotContain(value, read);
                launcher.Write(source, [.. Enumerable.Repeat(value, 16)]);
                launcher.Replay(graph);
                launcher.Read(target, read);
                Assert.All(read, one => Assert.Equal(value, one));
            }
        }

        Assert.Equal(2, _gpu.Replays);
        AssertNothingIsLeft();
    }

    [Fact]
    public void A_capture_that_the_driver_gives_up_leaves_the_stream_as_it_was()
    {
        _gpu.SetCapturable(false);
        using var launcher = Launcher();
        using var memory = launcher.Allocate(16);
        launcher.BeginCapture();
        launcher.Clear(new MemoryRange(memory, 0, 16));

        Assert.Null(launcher.EndCapture());
        launcher.Clear(new MemoryRange(memory, 0, 16));
        var read = new byte[16];
        launcher.Read(new MemoryRange(memory, 0, 16), read);
        Assert.All(read, one => Assert.Equal(0, one));
    }

    [Fact]
    public void Two_devices_are_used_by_one_thread_each_with_its_own_stream()
    {
        _gpu.SetDevices(2);
        using (var first = Launcher(0))
        using (var second = Launcher(1))
        {
            using var one = first.Allocate(16);
            using var two = second.Allocate(16);
            first.Clear(new MemoryRange(one, 0, 16));
            second.Clear(new MemoryRange(two, 0, 16));
            first.Synchronize();
            second.Synchronize();
        }

        AssertNothingIsLeft();
    }

    /// <param name="device">Number of it.</param>
    private protected abstract GpuLauncher Launcher(int device = 0);

    private static unsafe void Fill(StagingMemory staging, byte value) => new Span<byte>((void*)staging.Take(), staging.Bytes).Fill(value);

    private protected void AssertNothingIsLeft()
    {
        Assert.Equal("", _gpu.Text);
        Assert.Equal(0, _gpu.MemoryUsed);
    }
}
