using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Threads;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Rounds inputs as <see cref="IntegerInputs"/> says and lays them out as <see cref="IntegerKernels{V, TSimd, TDots}"/> read them,
/// a task for each tile.</summary>
/// <remarks>
/// Memory: the words of all tiles, <c>[tile][quad][step][rows of the tile]</c>; then of each row, those that pad a tile included, the
/// scale as a float and the sum of its bytes.
/// <code>
/// rows 0..5, two steps   │k0,k2: r0│r1│r2│r3│r4│r5│k1,k3: r0│r1│r2│r3│r4│r5│k4,k6: r0│ …
/// </code>
/// </remarks>
internal readonly unsafe struct IntegerTiles<TDots>(InputTiles tiles, int inFeatures, float* inputs, float? fixedScale, int* memory)
    : IParallelBody
    where TDots : IByteDots
{
    private const int PerQuad = 4;

    public static int QuadsOf(int inFeatures) => (inFeatures + PerQuad - 1) / PerQuad;

    /// <summary>Words that all of it takes.</summary>
    public static long Words(InputTiles tiles, int inFeatures) =>
        PaddedRows(tiles) * ((long)TDots.Steps * QuadsOf(inFeatures) + 2);

    public int* Tile(int tile) => memory + (long)tiles.FirstRow(tile) * TDots.Steps * QuadsOf(inFeatures);

    public float* Scales => (float*)(memory + PaddedRows(tiles) * TDots.Steps * QuadsOf(inFeatures));

    public int* Totals => (int*)Scales + PaddedRows(tiles);

    public void Execute(int task, int worker)
    {
        var first = tiles.FirstRow(task);
        var (rows, kernelRows) = (tiles.RowsOf(task), tiles.KernelRows(task));
        for (var row = 0; row < kernelRows; row++)
        {
            var target = Tile(task) + row;
            if (row < rows)
            {
                Round(first + row, target, kernelRows);
                continue;
            }

            for (var word = 0L; word < (long)TDots.Steps * QuadsOf(inFeatures); word++)
            {
                target[word * kernelRows] = 0;
            }
        }
    }

    private static long PaddedRows(InputTiles tiles) =>
        tiles.Count == 0 ? 0 : tiles.FirstRow(tiles.Count - 1) + tiles.KernelRows(tiles.Count - 1);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Round(int row, int* target, int stride)
    {
        var x = inputs + (long)row * inFeatures;
        var largest = InputRounding.Largest(x, inFeatures);
        var scale = InputRounding.Usable(fixedScale is { } known ? known + largest * 0 : largest / 127);
        var inverse = InputRounding.Inverse(scale);
        var totals = Vector128<int>.Zero;
        var step = TDots.Steps * stride;
        var k = 0;
        for (; k <= inFeatures - PerQuad; k += PerQuad)
        {
            var bytes = Bytes(Vector128.Load(x + k), inverse);
            totals += bytes;
            TDots.Store(bytes, target, stride);
            target += step;
        }

        if (k < inFeatures)
        {
            var last = Vector128<float>.Zero;
            for (var i = 0; k + i < inFeatures; i++)
            {
                last = last.WithElement(i, x[k + i]);
            }

            var bytes = Bytes(last, inverse);
            totals += bytes;
            TDots.Store(bytes, target, stride);
        }

        Scales[row] = scale;
        Totals[row] = Vector128.Sum(totals);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Bytes(Vector128<float> x, Vector128<float> inverse) =>
        Vector128.ConvertToInt32Native(InputRounding.Round(x, inverse, -128, 127));
}
