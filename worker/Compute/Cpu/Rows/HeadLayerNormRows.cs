using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>Layer normalization of single heads inside longer rows, in place, each by weights of its own. A row here is one head of one
/// token.</summary>
internal unsafe struct HeadLayerNormRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    public float* X;

    /// <summary><c>[heads, headDim]</c>.</summary>
    public float* Weight;

    /// <summary>Floats from one token to the next.</summary>
    public int Stride;
    public int FirstHead;
    public int Heads;
    public int HeadDim;
    public float Epsilon;

    public readonly void Execute(int row)
    {
        var place = row % Heads;
        var head = X + (long)(row / Heads) * Stride + (long)(FirstHead + place) * HeadDim;
        new LayerNormRows<V, TSimd>
        {
            Input = head,
            Output = head,
            Weight = Weight + (long)place * HeadDim,
            Columns = HeadDim,
            Epsilon = Epsilon,
        }.Execute(0);
    }
}
