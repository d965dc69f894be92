using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

public sealed class DeviceArenaTests
{
    private const long Budget = 100 << 20;

    [Fact]
    public void Small_pieces_share_a_chunk_and_never_overlap()
    {
        using var launcher = new Counting(Budget);
        using var arena = new DeviceArena(launcher, Budget);
        var random = new Random(1);
        MemoryRange[] pieces = [.. Enumerable.Range(0, 200).Select(i => arena.Take($"{i}", random.Next(1, 5000)))];

        var memory = Assert.Single(pieces.Select(piece => piece.Memory).Distinct());
        Assert.All(pieces, piece => Assert.Equal(0, piece.Offset % 256));
        Assert.All(pieces.OrderBy(piece => piece.Offset).Zip(pieces.OrderBy(piece => piece.Offset).Skip(1)), pair =>
            Assert.True(pair.First.Offset + pair.First.Bytes <= pair.Second.Offset));
        Assert.Equal(memory.Bytes, arena.TakenBytes);
    }

    [Fact]
    public void Large_pieces_stand_alone_and_are_given_back_to_the_device()
    {
        using var launcher = new Counting(Budget);
        using var arena = new DeviceArena(launcher, Budget);
        var small = arena.Take("small", 100);
        var large = arena.Take("large", 40 << 20);
        Assert.NotSame(small.Memory, large.Memory);

        arena.Return(small);
        arena.Return(large);

        Assert.Equal((1, 32 << 20), (launcher.Pieces, arena.TakenBytes));
        Assert.Equal(60 << 20, arena.Take("another", 60 << 20).Bytes);
    }

    [Fact]
    public void What_the_budget_does_not_have_is_refused_by_name_and_the_rest_of_it_can_still_be_taken()
    {
        using var launcher = new Counting(Budget);
        using var arena = new DeviceArena(launcher, Budget);
        _ = arena.Take("weights", 90 << 20);
        var refused = Assert.Throws<InsufficientMemoryException>(() => arena.Take("keys", 20 << 20));

        Assert.Equal("'keys' needs 20971520 bytes, but 94371840 of the 104857600 bytes that may be used are taken", refused.Message);
        Assert.Equal(1000, arena.Take("small", 1000).Bytes);
    }

    [Fact]
    public void What_the_device_does_not_have_is_refused_by_name()
    {
        using var launcher = new Counting(deviceBytes: 1 << 20);
        using var arena = new DeviceArena(launcher, Budget);
        var refused = Assert.Throws<InsufficientMemoryException>(() => arena.Take("keys", 20 << 20));

        Assert.Equal("'keys': no 20971520 bytes", refused.Message);
    }

    [Fact]
    public void All_memory_goes_back_in_the_end()
    {
        using var launcher = new Counting(Budget);
        using (var arena = new DeviceArena(launcher, Budget))
        {
            _ = arena.Take("small", 100);
            _ = arena.Take("large", 40 << 20);
            Assert.Equal(2, launcher.Pieces);
        }

        Assert.Equal(0, launcher.Pieces);
    }

    /// <summary>A device that only counts.</summary>
    private sealed class Counting(long deviceBytes) : IKernelLauncher
    {
        public int Pieces { get; private set; }

        public DeviceDescription Device => new("test", "counts", "none", IsGpu: false, deviceBytes, ComputeUnits: 1);

        public int Waves => 1;

        public MatrixCores MatrixCores => MatrixCores.None;

        public int BusyGroups => 1;

        public DeviceMemory Allocate(long bytes)
        {
            if (bytes > deviceBytes)
            {
                throw new InsufficientMemoryException($"no {bytes} bytes");
            }

            Pieces++;
            return new Piece(this, bytes);
        }

        public void Clear(MemoryRange range) => throw new NotSupportedException();

        public void Write(MemoryRange range, ReadOnlySpan<byte> values) => throw new NotSupportedException();

        public void Copy(MemoryRange source, MemoryRange destination) => throw new NotSupportedException();

        public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments) =>
            throw new NotSupportedException();

        public void Read(MemoryRange range, Span<byte> values) => throw new NotSupportedException();

        public void Synchronize()
        {
        }

        public void Dispose()
        {
        }

        private sealed class Piece(Counting owner, long bytes) : DeviceMemory(bytes)
        {
            public override void Dispose() => owner.Pieces--;
        }
    }
}
