using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>output[t] += table[ids[t]].</summary>
internal unsafe struct AddEmbeddingRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>Widens the table's row into scratch memory.</summary>
    public EmbedRows Lookup;
    public float* Output;

    public readonly void Execute(int row)
    {
        Lookup.Execute(row);
        var start = (long)row * Lookup.Columns;
        AddRows<V, TSimd>.Add(Output + start, Lookup.Output + start, Lookup.Columns);
    }
}
