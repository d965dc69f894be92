using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>Copies inputs into <see cref="InputTiles"/>, a task for each tile.</summary>
internal readonly unsafe struct TileFilling(InputTiles tiles, float* inputs, float* destination) : IParallelBody
{
    public void Execute(int task, int worker) => tiles.Fill(task, inputs, destination);
}
