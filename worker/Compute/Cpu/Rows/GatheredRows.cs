using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>output[i] = x[rows[i]].</summary>
internal unsafe struct GatheredRows : IRowBody
{
    public float* X;
    public int XRows;
    public int* Rows;
    public float* Output;
    public int Columns;

    public readonly void Execute(int row)
    {
        var source = Rows[row];
        if ((uint)source >= (uint)XRows)
        {
            throw new ArgumentOutOfRangeException(nameof(source), source, $"there are {XRows} rows to gather from");
        }

        var bytes = (long)Columns * sizeof(float);
        Buffer.MemoryCopy(X + (long)source * Columns, Output + (long)row * Columns, bytes, bytes);
    }
}
