using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>output[t] = row ids[t] − first of a matrix in panels (<see cref="PackedWeight"/>), widened to F32: the numbers that
/// <see cref="EmbedRows"/> reads from the checkpoint's order.</summary>
internal unsafe struct EmbedPackedRows : IRowBody
{
    public byte* Panels;
    public DType Format;
    public long PanelBytes;
    public int PanelWidth;
    public int* Ids;
    public float* Output;

    /// <summary>The matrix's row that the table begins with.</summary>
    public int FirstRow;

    public int TableRows;
    public int Columns;

    /// <summary>Id of the table's first row.</summary>
    public int FirstId;

    /// <summary>Ids outside the table give zeros; otherwise they are refused.</summary>
    public bool IsShard;

    public readonly void Execute(int row)
    {
        var id = Ids[row] - FirstId;
        var output = Output + (long)row * Columns;
        if ((uint)id >= (uint)TableRows)
        {
            if (IsShard)
            {
                new Span<float>(output, Columns).Clear();
                return;
            }

            throw new ArgumentOutOfRangeException(nameof(id), id, $"the embedding table has {TableRows} rows");
        }

        var (panel, place) = Math.DivRem(FirstRow + id, PanelWidth);
        var lane = (uint*)(Panels + (panel * PanelBytes)) + place;
        for (var k = 0; k < Columns; k++)
        {
            if (Format == DType.F32)
            {
                output[k] = BitConverter.UInt32BitsToSingle(lane[(long)k * PanelWidth]);
                continue;
            }

            var half = (ushort)(lane[(long)(k / 2) * PanelWidth] >> (16 * (k % 2)));
            output[k] = Format == DType.BF16
                ? BitConverter.UInt32BitsToSingle((uint)half << 16)
                : (float)BitConverter.UInt16BitsToHalf(half);
        }
    }
}
