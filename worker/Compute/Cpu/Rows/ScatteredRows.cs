using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>output[rows[i]] = x[i]. No row appears twice.</summary>
internal unsafe struct ScatteredRows : IRowBody
{
    public float* X;
    public int* Rows;
    public float* Output;
    public int Columns;

    public readonly void Execute(int row)
    {
        var bytes = (long)Columns * sizeof(float);
        Buffer.MemoryCopy(X + (long)row * Columns, Output + (long)Rows[row] * Columns, bytes, bytes);
    }
}
