using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Rows times weights, for devices without matrix instructions: a lane has an output, a wave four rows of it.</summary>
/// <remarks>
/// Codes lie in panels of 16 outputs, so that the lanes of a wave read neighbouring pieces:
/// <code>
/// [panel of 16 outputs][piece of inputs][output of the panel] → 16 bytes
/// </code>
/// Every output is one chain of multiply-adds over the inputs, ascending, whatever rows are multiplied beside it.
/// </remarks>
internal static class Linear
{
    /// <summary>Outputs of a panel.</summary>
    public const int Panel = 16;

    /// <summary>Rows of a wave.</summary>
    public const int Rows = 4;

    /// <summary>Outputs of a wave.</summary>
    public const int Outputs = Wave.Lanes;

    /// <summary>y[t, firstOutput + n] = Σ_k x[t, k] · w[n, k] + bias[n]. Grid (outputs, rows) in groups of several waves.</summary>
    /// <param name="bias"><c>[outputs, padded]</c>, zeros where there is none.</param>
    /// <param name="inputs">Elements of a row of x.</param>
    /// <param name="pieces">Pieces of an output.</param>
    /// <param name="padded">Outputs, rounded up to whole waves.</param>
    /// <param name="stride">Elements of a row of y.</param>
    /// <param name="rowWaves">Waves of a group that have different rows; the others have different outputs.</param>
    public static void Multiply<TFormat, TInput>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int inputs, int pieces, int outputs, int padded, int firstOutput, int stride, int rowWaves)
        where TFormat : struct, IWeightFormat
        where TInput : struct, IInput
    {
        var outputWaves = Group.DimY / rowWaves;
        var row = (Grid.IdxY * rowWaves + Group.IdxY % rowWaves) * Rows;
        var output = (Grid.IdxX * outputWaves + Group.IdxY / rowWaves) * Outputs + Group.IdxX;
        if (row >= rows || output >= padded)
        {
            return;
        }

        var last = rows - 1;
        var sums = Dot<TFormat, TInput>(
            x, codes, tables, groups, (long)row * inputs, (long)Native.Min(row + 1, last) * inputs,
            (long)Native.Min(row + 2, last) * inputs, (long)Native.Min(row + 3, last) * inputs, inputs, 0, 0, pieces, output, padded);
        if (output >= outputs)
        {
            return;
        }

        var constant = bias[output];
        var at = (long)row * stride + firstOutput + output;
        y[at] = sums.X + constant;
        if (row + 1 < rows)
        {
            y[at + stride] = sums.Y + constant;
        }

        if (row + 2 < rows)
        {
            y[at + 2L * stride] = sums.Z + constant;
        }

        if (row + 3 < rows)
        {
            y[at + 3L * stride] = sums.W + constant;
        }
    }

    /// <summary>y[t, n] = f(gate) · up, where gate is what <see cref="Multiply"/> has for output n and up what it has for output
    /// n + <paramref name="half"/>: the same bits, without a way through memory. Grid and groups as there, for half of the
    /// outputs.</summary>
    /// <param name="activation">An <see cref="Activation"/>.</param>
    public static void MultiplyGated<TFormat, TInput>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int inputs, int pieces, int half, int padded, int activation, int rowWaves)
        where TFormat : struct, IWeightFormat
        where TInput : struct, IInput
    {
        var outputWaves = Group.DimY / rowWaves;
        var row = (Grid.IdxY * rowWaves + Group.IdxY % rowWaves) * Rows;
        var output = (Grid.IdxX * outputWaves + Group.IdxY / rowWaves) * Outputs + Group.IdxX;
        if (row >= rows || output >= half)
        {
            return;
        }

        var last = rows - 1;
        var row0 = (long)row * inputs;
        var row1 = (long)Native.Min(row + 1, last) * inputs;
        var row2 = (long)Native.Min(row + 2, last) * inputs;
        var row3 = (long)Native.Min(row + 3, last) * inputs;
        var gates = Dot<TFormat, TInput>(x, codes, tables, groups, row0, row1, row2, row3, inputs, 0, 0, pieces, output, padded);
        var ups = Dot<TFormat, TInput>(x, codes, tables, groups, row0, row1, row2, row3, inputs, 0, 0, pieces, output + half, padded);
        var gateBias = bias[output];
        var upBias = bias[output + half];
        var at = (long)row * half + output;
        y[at] = GateFunctions.Apply(activation, gates.X + gateBias) * (ups.X + upBias);
        if (row + 1 < rows)
        {
            y[at + half] = GateFunctions.Apply(activation, gates.Y + gateBias) * (ups.Y + upBias);
        }

        if (row + 2 < rows)
        {
            y[at + 2L * half] = GateFunctions.Apply(activation, gates.Z + gateBias) * (ups.Z + upBias);
        }

        if (row + 3 < rows)
        {
            y[at + 3L * half] = GateFunctions.Apply(activation, gates.W + gateBias) * (ups.W + upBias);
        }
    }

    /// <summary><see cref="Multiply"/> for rows that each have an expert of their own. Tiles are runs of routed rows of one expert
    /// (<see cref="Experts.Sort"/>). Grid (outputs, tiles) in groups of several waves, all of different outputs.</summary>
    /// <param name="tiles"><c>[tiles][3]</c> expert, first of its rows in <paramref name="order"/>, and how many; none left where that is
    /// 0.</param>
    /// <param name="order">Routed rows, sorted by expert.</param>
    /// <param name="perSource">Routed rows that share a row of x.</param>
    /// <param name="codesStride">Pieces from one expert's codes to the next's.</param>
    /// <param name="tablesStride">Words from one expert's tables to the next's.</param>
    /// <param name="groupsStride">Inputs from one expert's groups to the next's.</param>
    public static void MultiplyExperts<TFormat, TInput>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<int> tiles, ArrayView<int> order, ArrayView<float> y, int inputs, int pieces, int outputs, int padded, int firstOutput,
        int stride, int perSource, int codesStride, int tablesStride, int groupsStride)
        where TFormat : struct, IWeightFormat
        where TInput : struct, IInput
    {
        var output = (Grid.IdxX * Group.DimY + Group.IdxY) * Outputs + Group.IdxX;
        var expert = tiles[3 * Grid.IdxY];
        var first = tiles[3 * Grid.IdxY + 1];
        var rows = tiles[3 * Grid.IdxY + 2];
        if (rows == 0 || output >= padded)
        {
            return;
        }

        var last = rows - 1;
        var routed0 = order[first];
        var routed1 = order[first + Native.Min(1, last)];
        var routed2 = order[first + Native.Min(2, last)];
        var routed3 = order[first + Native.Min(3, last)];
        var sums = Dot<TFormat, TInput>(
            x, codes.SubView((long)expert * codesStride), tables, groups.SubView((long)expert * groupsStride),
            (long)(routed0 / perSource) * inputs, (long)(routed1 / perSource) * inputs, (long)(routed2 / perSource) * inputs,
            (long)(routed3 / perSource) * inputs, inputs, 0, (long)expert * tablesStride, pieces, output, padded);
        if (output >= outputs)
        {
            return;
        }

        var constant = bias[expert * padded + output];
        var column = firstOutput + output;
        y[(long)routed0 * stride + column] = sums.X + constant;
        if (rows > 1)
        {
            y[(long)routed1 * stride + column] = sums.Y + constant;
        }

        if (rows > 2)
        {
            y[(long)routed2 * stride + column] = sums.Z + constant;
        }

        if (rows > 3)
        {
            y[(long)routed3 * stride + column] = sums.W + constant;
        }
    }

    /// <summary>Four rows' products with one output's weights.</summary>
    private static Float4 Dot<TFormat, TInput>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, long row0, long row1, long row2,
        long row3, int inputs, long firstCode, long firstTable, int pieces, int output, int padded)
        where TFormat : struct, IWeightFormat
        where TInput : struct, IInput
    {
        var format = default(TFormat);
        var input = default(TInput);
        var at = firstCode + (long)(output / Panel) * pieces * Panel + output % Panel;
        Float4 sums = default;
        for (var piece = 0; piece < pieces; piece++)
        {
            var code = codes[at + (long)piece * Panel];
            var scale = format.ScaleOf(tables, groups, firstTable, output, padded, piece);
            for (var quad = 0; quad < format.Elements / 4; quad++)
            {
                var weights = format.Quad(code, quad, scale, tables, groups, firstTable, output, padded, piece);
                var k = piece * format.Elements + 4 * quad;
                sums.X = MultiplyAdd(input.Quad(x, row0, k, inputs), weights, sums.X);
                sums.Y = MultiplyAdd(input.Quad(x, row1, k, inputs), weights, sums.Y);
                sums.Z = MultiplyAdd(input.Quad(x, row2, k, inputs), weights, sums.Z);
                sums.W = MultiplyAdd(input.Quad(x, row3, k, inputs), weights, sums.W);
            }
        }

        return sums;
    }

    private static float MultiplyAdd(Float4 x, Float4 weights, float sum)
    {
        sum = Native.Fma(x.X, weights.X, sum);
        sum = Native.Fma(x.Y, weights.Y, sum);
        sum = Native.Fma(x.Z, weights.Z, sum);
        return Native.Fma(x.W, weights.W, sum);
    }
}
