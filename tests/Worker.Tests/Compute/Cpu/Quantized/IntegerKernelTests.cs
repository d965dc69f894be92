using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Quantized;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Quantized;

/// <summary>Both ways to multiply bytes, on processors that would choose the other as well.</summary>
public sealed unsafe class IntegerKernelTests
{
    private const int Quads = 37;

    public static MatrixTheoryData<int, bool> Kernels => new([1, 2, 4, 6, 8, 12], [false, true]);

    [Theory, MemberData(nameof(Kernels))]
    public void Sums_are_those_of_single_products(int rows, bool inQuads)
    {
        if (inQuads)
        {
            Check<Vector512<float>, Simd512, QuadDots>(rows);
            Check<Vector256<float>, Simd256, QuadDots>(rows);
            Check<float, SimdScalar, QuadDots>(rows);
            return;
        }

        Check<Vector512<float>, Simd512, PairDots>(rows);
        Check<Vector256<float>, Simd256, PairDots>(rows);
        Check<float, SimdScalar, PairDots>(rows);
    }

    private static void Check<V, TSimd, TDots>(int rows)
        where V : unmanaged
        where TSimd : ISimd<V>
        where TDots : IByteDots
    {
        var random = new Random(rows);
        var width = 2 * TSimd.Lanes;

        // A whole panel and the next, with the largest of both kinds among them.
        var codes = new byte[2 * Quads * width * 4];
        random.NextBytes(codes);
        codes.AsSpan(0, width * 4).Fill(255);
        var inputs = Enumerable.Range(0, rows * Quads * 4).Select(i => i % 7 == 0 ? -128 : random.Next(-128, 128)).ToArray();
        var x = new int[Quads * TDots.Steps * rows];
        fixed (int* target = x)
        {
            for (var i = 0; i < rows * Quads; i++)
            {
                var (row, quad) = (i / Quads, i % Quads);
                var four = Vector128.Create(inputs[4 * i], inputs[4 * i + 1], inputs[4 * i + 2], inputs[4 * i + 3]);
                TDots.Store(four, target + (quad * TDots.Steps * rows) + row, rows);
            }
        }

        var tile = new float[12 * width];
        var next = new float[width];
        MemoryMarshal.Cast<float, int>(tile.AsSpan()).Fill(1_000_000);
        fixed (int* values = x)
        fixed (byte* panel = codes)
        fixed (float* sums = tile, nextSums = next)
        {
            var w = (uint*)panel;
            switch (rows)
            {
                case 1:
                    IntegerKernels<V, TSimd, TDots>.Rows1(values, w, w + (Quads * width), Quads, sums, nextSums);
                    Compare(inputs, codes.AsSpan(Quads * width * 4), MemoryMarshal.Cast<float, int>(next), rows, width, start: 0);
                    break;
                case 2:
                    IntegerKernels<V, TSimd, TDots>.Rows2(values, w, w, Quads, continues: true, sums);
                    break;
                case 4:
                    IntegerKernels<V, TSimd, TDots>.Rows4(values, w, w, Quads, continues: true, sums);
                    break;
                case 6:
                    IntegerKernels<V, TSimd, TDots>.Rows6(values, w, w, Quads, continues: true, sums);
                    break;
                case 8:
                    IntegerKernels<V, TSimd, TDots>.Rows8(values, w, w, Quads, continues: true, sums);
                    break;
                default:
                    IntegerKernels<V, TSimd, TDots>.Rows12(values, w, w, Quads, continues: true, sums);
                    break;
            }
        }

        Compare(inputs, codes, MemoryMarshal.Cast<float, int>(tile), rows, width, rows == 1 ? 0 : 1_000_000);
    }

    private static void Compare(int[] inputs, ReadOnlySpan<byte> codes, ReadOnlySpan<int> sums, int rows, int width, int start)
    {
        for (var row = 0; row < rows; row++)
        {
            for (var output = 0; output < width; output++)
            {
                var expected = start;
                for (var k = 0; k < Quads * 4; k++)
                {
                    expected += inputs[(row * Quads * 4) + k] * codes[(((k / 4 * width) + output) * 4) + (k % 4)];
                }

                Assert.Equal(expected, sums[(row * width) + output]);
            }
        }
    }
}
