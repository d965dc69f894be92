using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Orders a row's inputs by segments and multiplies them by the factor of their codes, for codes that are no integers; a task for
/// each row.</summary>
/// <param name="ordered">Receives <c>[rows][places]</c>.</param>
internal readonly unsafe struct SegmentInputs<TCodes>(PanelSegments segments, float* inputs, int inFeatures, float* ordered)
    : IParallelBody
    where TCodes : ISegmentCodes
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute(int task, int worker)
    {
        var target = ordered + (long)task * segments.Length;
        segments.Arrange(inputs + (long)task * inFeatures, inFeatures, target);
        var factor = Vector128.Create(TCodes.Factor);
        for (var place = 0; place < segments.Length; place += Vector128<float>.Count)
        {
            (Vector128.Load(target + place) * factor).Store(target + place);
        }
    }
}
