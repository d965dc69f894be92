using Cluster.Worker.Compute.Cpu.Memory;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Cosines and sines for every position: <c>[maxPositions][cos of rotaryDim/2 pairs, then sin of them]</c>, computed in double
/// precision.</summary>
internal sealed unsafe class CpuRopeTable(RopeFrequencies shape, NativeMemoryBlock memory) : RopeTable(shape)
{
    public float* Rows => (float*)memory.Address;

    public static long BytesOf(RopeFrequencies frequencies) =>
        2L * frequencies.InverseFrequencies.Length * frequencies.MaxPositions * sizeof(float);

    public void Fill(RopeFrequencies frequencies)
    {
        var pairs = frequencies.InverseFrequencies.Length;
        Parallel.For(0, MaxPositions, position =>
        {
            var row = Rows + 2L * position * pairs;
            for (var i = 0; i < pairs; i++)
            {
                var (sin, cos) = Math.SinCos((double)position * frequencies.InverseFrequencies[i]);
                row[i] = (float)(cos * frequencies.AttentionScale);
                row[pairs + i] = (float)(sin * frequencies.AttentionScale);
            }
        });
    }
}
