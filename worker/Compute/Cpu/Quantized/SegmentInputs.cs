using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Orders a row's inputs by segments, sums each segment, and multiplies inputs by the factors of their codes' places; a task for
/// each row.</summary>
internal readonly unsafe struct SegmentInputs<TCodes>(
    PanelSegments segments, float* inputs, int rows, int inFeatures, float* ordered, float* sums) : IParallelBody
    where TCodes : ISegmentCodes
{
    /// <param name="task">A row; those beyond the inputs are zero, for tiles that are filled up.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute(int task, int worker)
    {
        var x = inputs + (long)task * inFeatures;
        var target = ordered + (long)task * segments.Length;
        var sumsOfRow = sums + (long)task * segments.Count;
        if (task >= rows)
        {
            new Span<float>(sumsOfRow, segments.Count).Clear();
            return;
        }

        if (segments.Order == null)
        {
            new Span<float>(x, inFeatures).CopyTo(new Span<float>(target, inFeatures));
            new Span<float>(target + inFeatures, segments.Length - inFeatures).Clear();
        }
        else
        {
            for (var place = 0; place < segments.Length; place++)
            {
                var input = segments.Order[place];
                target[place] = input < 0 ? 0 : x[input];
            }
        }

        Vector128<float> factors = Factors(0), nextFactors = Factors(4);
        for (var segment = 0; segment < segments.Count; segment++)
        {
            Vector128<float> sum = default, nextSum = default;
            var end = segments.EndOf(segment);
            for (var place = segments.StartOf(segment); place < end; place += Segments.Unit)
            {
                var (four, next) = (Vector128.Load(target + place), Vector128.Load(target + place + 4));
                sum += four;
                nextSum += next;
                (four * factors).Store(target + place);
                (next * nextFactors).Store(target + place + 4);
            }

            sum += nextSum;
            sumsOfRow[segment] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
        }
    }

    private static Vector128<float> Factors(int place) => Vector128.Create(
        TCodes.Factor(place % TCodes.PerWord), TCodes.Factor((place + 1) % TCodes.PerWord), TCodes.Factor((place + 2) % TCodes.PerWord),
        TCodes.Factor((place + 3) % TCodes.PerWord));
}
