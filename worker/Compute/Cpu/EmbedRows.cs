namespace Cluster.Worker.Compute.Cpu;

/// <summary>output[t] = table[ids[t]], widened to F32.</summary>
internal unsafe struct EmbedRows : IRowBody
{
    public byte* Table;
    public DType DType;
    public int* Ids;
    public float* Output;
    public int TableRows;
    public int Columns;

    public readonly void Execute(int row)
    {
        var id = Ids[row];
        if ((uint)id >= (uint)TableRows)
        {
            throw new ArgumentOutOfRangeException(nameof(id), id, $"the embedding table has {TableRows} rows");
        }

        var bytes = Columns * DType.Size();
        var source = new ReadOnlySpan<byte>(Table + (long)id * bytes, bytes);
        WeightReader.Widen(DType, source, new Span<float>(Output + (long)row * Columns, Columns));
    }
}
