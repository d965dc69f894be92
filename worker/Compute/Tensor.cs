namespace Cluster.Worker.Compute;

/// <summary>A named piece of device memory. Only the backend that made it can see inside.</summary>
internal abstract class DeviceBuffer(string name, long byteLength)
{
    /// <summary>What it holds, for errors, traces and the recording backend: <c>hidden</c>, <c>qkv</c>, …</summary>
    public string Name { get; } = name;

    public long ByteLength { get; } = byteLength;
}

/// <summary>A row-major <c>[Rows, Columns]</c> view of device memory. A value, so slicing in a decode step allocates nothing.
/// Its contents are never readable here: a device may still be computing them (see <see cref="Backend.Download"/>).</summary>
internal readonly record struct Tensor(DeviceBuffer Buffer, DType DType, int Rows, int Columns)
{
    /// <summary>The first <paramref name="rows"/> rows, sharing memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer rows.</exception>
    public Tensor FirstRows(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, Rows);
        return this with { Rows = rows };
    }

    public override string ToString() => $"{Buffer.Name}:{DType}[{Rows},{Columns}]";
}
