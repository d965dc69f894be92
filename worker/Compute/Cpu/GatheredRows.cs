namespace Cluster.Worker.Compute.Cpu;

/// <summary>output[i] = x[rows[i]].</summary>
internal unsafe struct GatheredRows : IRowBody
{
    public float* X;
    public int* Rows;
    public float* Output;
    public int Columns;

    public readonly void Execute(int row)
    {
        var bytes = (long)Columns * sizeof(float);
        Buffer.MemoryCopy(X + (long)Rows[row] * Columns, Output + (long)row * Columns, bytes, bytes);
    }
}
