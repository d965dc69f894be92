using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>output[t] = table[ids[t] − first], widened to F32.</summary>
internal unsafe struct EmbedRows : IRowBody
{
    public byte* Table;
    public DType DType;
    public int* Ids;
    public float* Output;
    public int TableRows;
    public int Columns;

    /// <summary>Id of the table's first row.</summary>
    public int FirstId;

    /// <summary>Ids outside the table give zeros; otherwise they are refused.</summary>
    public bool IsShard;

    public readonly void Execute(int row)
    {
        var id = Ids[row] - FirstId;
        var output = new Span<float>(Output + (long)row * Columns, Columns);
        if ((uint)id >= (uint)TableRows)
        {
            if (IsShard)
            {
                output.Clear();
                return;
            }

            throw new ArgumentOutOfRangeException(nameof(id), id, $"the embedding table has {TableRows} rows");
        }

        var bytes = Columns * DType.Size();
        var source = new ReadOnlySpan<byte>(Table + (long)id * bytes, bytes);
        WeightReader.Widen(DType, source, output);
    }
}
