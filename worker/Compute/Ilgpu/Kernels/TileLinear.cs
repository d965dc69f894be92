using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Many rows times weights on matrix cores, as 16-bit floats, where multiplying is the limit: a group has a tile of 128 outputs
/// and 128 rows, each of its four waves a quarter of 64 and 64.</summary>
/// <remarks>
/// Inputs are those of <see cref="SplitRows"/>, weights those of <see cref="Linear"/>; both already lie as lanes take them, so that shared
/// memory is written and read 16 bytes a lane without conflicts. It has room for two steps of 32 inputs, and registers for a third:
/// <code>
/// step n:  registers (n + 1) → shared memory     memory (n + 2) → registers     shared memory (n) → matrix cores     barrier
/// </code>
/// The order of additions is that of <see cref="MatrixLinear"/>: parts of the inputs, one for each wave there, summed one after another.
/// The two steps that are read past the last are never multiplied; weights and inputs have room behind them (<see cref="Slack"/>).
/// </remarks>
internal static class TileLinear
{
    /// <summary>Outputs and rows of a group.</summary>
    public const int Side = 128;

    /// <summary>Steps that are read past the last.</summary>
    public const int Slack = 2;

    /// <summary>Steps that are written out one after another.</summary>
    private const int Round = 8;

    /// <summary>16-byte pieces of a step: eight panels of outputs, or tiles of rows.</summary>
    private const int Step = Side / MatrixCore.Tile * Wave.Lanes;

    /// <summary>Whether an output's pieces are whole rounds, and so are its parts.</summary>
    /// <param name="parts">See <see cref="ITileWeights.Parts"/>.</param>
    public static bool Takes(int pieces, int parts) =>
        pieces * parts % (MatrixLinear.PiecesAtOnce * Round) == 0 && pieces % MatrixLinear.PiecesAtOnce == 0
        && MatrixLinear.StepsOfWave(pieces, Wave.MaxWaves) * parts % Round == 0;

    /// <summary>Grid (tiles of outputs, tiles of rows), four waves. See <see cref="Linear.Multiply"/>.</summary>
    /// <param name="x">See <see cref="SplitRows"/>.</param>
    public static void Multiply<TWeights, THalf, TTerms>(
        ArrayView<UInt4> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int pieces, int outputs, int padded, int firstOutput, int stride)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
    {
        var weights = SharedMemory.Allocate<UInt4>(2 * Step);
        var inputs = SharedMemory.Allocate<UInt4>(2 * Step * default(TTerms).Count);
        var terms = default(TTerms).Count;
        var (lane, wave) = (Group.IdxX, Group.IdxY);
        var parts = default(TWeights).Parts;
        var ofWave = MatrixLinear.StepsOfWave(pieces, Wave.MaxWaves) * parts;
        var steps = pieces / MatrixLinear.PiecesAtOnce * parts;

        // A wave moves two panels of outputs and 32 rows; what lies past the last is the last again, and not written.
        var panel = Grid.IdxX * (Side / Linear.Panel) + 2 * wave;
        var lastPanel = padded / Linear.Panel - 1;
        var weights0 = (long)Native.Min(panel, lastPanel) * pieces * Linear.Panel + lane;
        var weights1 = (long)Native.Min(panel + 1, lastPanel) * pieces * Linear.Panel + lane;
        var block = Native.Min(Grid.IdxY * (Side / SplitRows.Rows) + wave, (rows - 1) / SplitRows.Rows);
        var rows0 = SplitRows.PlaceOf(2 * block, ofWave * Wave.MaxWaves, terms) + lane;
        var output0 = Native.Min(panel, lastPanel) * Linear.Panel + lane % MatrixCore.Tile;
        var output1 = Native.Min(panel + 1, lastPanel) * Linear.Panel + lane % MatrixCore.Tile;
        var to = 2 * wave * Wave.Lanes + lane;
        var fromWeights = wave / 2 * (Step / 2) + lane;
        var fromInputs = wave % 2 * (Step / 2) + lane;

        var staged = Read<TWeights, TTerms>(
            codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, 0, 0, 0);
        Write<TWeights, TTerms>(staged, 0, tables, groups, output0, output1, padded, weights, inputs, to, 0);
        staged = Read<TWeights, TTerms>(
            codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, 0, 0, 1);
        Group.Barrier();

        // The steps that a round reads are on both sides of where it ends, in reach of an instruction's own offset.
        weights0 += Round / parts * Wave.Lanes;
        weights1 += Round / parts * Wave.Lanes;
        rows0 += Round * terms * SplitRows.Pair;
        Sums total = default;
        var step = 0;
        for (var part = 0; part < Wave.MaxWaves; part++)
        {
            Sums sums = default;
            var end = Native.Min((part + 1) * ofWave, steps);
            for (; step < end; step += Round)
            {
                Write<TWeights, TTerms>(staged, 1, tables, groups, output0, output1, padded, weights, inputs, to, 1);
                staged = Read<TWeights, TTerms>(
                    codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, step, Round, 2);
                sums = MultiplyAdd<THalf, TTerms>(weights, inputs, fromWeights, fromInputs, 0, sums);
                Group.Barrier();
                Write<TWeights, TTerms>(staged, 2, tables, groups, output0, output1, padded, weights, inputs, to, 0);
                staged = Read<TWeights, TTerms>(
                    codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, step, Round, 3);
                sums = MultiplyAdd<THalf, TTerms>(weights, inputs, fromWeights, fromInputs, 1, sums);
                Group.Barrier();
                Write<TWeights, TTerms>(staged, 3, tables, groups, output0, output1, padded, weights, inputs, to, 1);
                staged = Read<TWeights, TTerms>(
                    codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, step, Round, 4);
                sums = MultiplyAdd<THalf, TTerms>(weights, inputs, fromWeights, fromInputs, 0, sums);
                Group.Barrier();
                Write<TWeights, TTerms>(staged, 4, tables, groups, output0, output1, padded, weights, inputs, to, 0);
                staged = Read<TWeights, TTerms>(
                    codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, step, Round, 5);
                sums = MultiplyAdd<THalf, TTerms>(weights, inputs, fromWeights, fromInputs, 1, sums);
                Group.Barrier();
                Write<TWeights, TTerms>(staged, 5, tables, groups, output0, output1, padded, weights, inputs, to, 1);
                staged = Read<TWeights, TTerms>(
                    codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, step, Round, 6);
                sums = MultiplyAdd<THalf, TTerms>(weights, inputs, fromWeights, fromInputs, 0, sums);
                Group.Barrier();
                Write<TWeights, TTerms>(staged, 6, tables, groups, output0, output1, padded, weights, inputs, to, 0);
                staged = Read<TWeights, TTerms>(
                    codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, step, Round, 7);
                sums = MultiplyAdd<THalf, TTerms>(weights, inputs, fromWeights, fromInputs, 1, sums);
                Group.Barrier();
                Write<TWeights, TTerms>(staged, 7, tables, groups, output0, output1, padded, weights, inputs, to, 1);
                staged = Read<TWeights, TTerms>(
                    codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, step, Round, 8);
                sums = MultiplyAdd<THalf, TTerms>(weights, inputs, fromWeights, fromInputs, 0, sums);
                Group.Barrier();
                Write<TWeights, TTerms>(staged, 8, tables, groups, output0, output1, padded, weights, inputs, to, 0);
                staged = Read<TWeights, TTerms>(
                    codes, x, tables, groups, weights0, weights1, rows0, output0, output1, padded, pieces, step, Round, 9);
                sums = MultiplyAdd<THalf, TTerms>(weights, inputs, fromWeights, fromInputs, 1, sums);
                Group.Barrier();
                weights0 += Round / parts * Wave.Lanes;
                weights1 += Round / parts * Wave.Lanes;
                rows0 += Round * terms * SplitRows.Pair;
            }

            total = Add(total, sums);
        }

        var output = Grid.IdxX * Side + wave / 2 * (Side / 2) + 4 * (lane / MatrixCore.Tile);
        var row = Grid.IdxY * Side + wave % 2 * (Side / 2) + lane % MatrixCore.Tile;
        Store(total.C00, bias, y, output + 0, row + 0, rows, outputs, firstOutput, stride);
        Store(total.C01, bias, y, output + 0, row + 16, rows, outputs, firstOutput, stride);
        Store(total.C02, bias, y, output + 0, row + 32, rows, outputs, firstOutput, stride);
        Store(total.C03, bias, y, output + 0, row + 48, rows, outputs, firstOutput, stride);
        Store(total.C10, bias, y, output + 16, row + 0, rows, outputs, firstOutput, stride);
        Store(total.C11, bias, y, output + 16, row + 16, rows, outputs, firstOutput, stride);
        Store(total.C12, bias, y, output + 16, row + 32, rows, outputs, firstOutput, stride);
        Store(total.C13, bias, y, output + 16, row + 48, rows, outputs, firstOutput, stride);
        Store(total.C20, bias, y, output + 32, row + 0, rows, outputs, firstOutput, stride);
        Store(total.C21, bias, y, output + 32, row + 16, rows, outputs, firstOutput, stride);
        Store(total.C22, bias, y, output + 32, row + 32, rows, outputs, firstOutput, stride);
        Store(total.C23, bias, y, output + 32, row + 48, rows, outputs, firstOutput, stride);
        Store(total.C30, bias, y, output + 48, row + 0, rows, outputs, firstOutput, stride);
        Store(total.C31, bias, y, output + 48, row + 16, rows, outputs, firstOutput, stride);
        Store(total.C32, bias, y, output + 48, row + 32, rows, outputs, firstOutput, stride);
        Store(total.C33, bias, y, output + 48, row + 48, rows, outputs, firstOutput, stride);
    }

    /// <param name="step">The round's first.</param>
    /// <param name="further">Steps by which codes and rows stand further: a constant, or the loop would choose each time.</param>
    /// <param name="next">A step from the first on.</param>
    private static Staged Read<TWeights, TTerms>(
        ArrayView<UInt4> codes, ArrayView<UInt4> x, ArrayView<uint> tables, ArrayView<int> groups, long weights0, long weights1, long rows,
        int output0, int output1, int padded, int pieces, int step, int further, int next)
        where TWeights : struct, ITileWeights
        where TTerms : struct, ITerms
    {
        var format = default(TWeights);
        var terms = default(TTerms).Count;
        var ofCodes = (next / format.Parts - further / format.Parts) * Wave.Lanes;
        var at = rows + (next - further) * terms * SplitRows.Pair;
        Staged staged = default;
        staged.W0 = codes[weights0 + ofCodes];
        staged.W1 = codes[weights1 + ofCodes];
        var piece = (step / format.Parts + next / format.Parts) * MatrixLinear.PiecesAtOnce
            + Group.IdxX / MatrixCore.Tile;
        staged.S0 = format.ScaleOf(tables, groups, output0, padded, Native.Min(piece, pieces - 1));
        staged.S1 = format.ScaleOf(tables, groups, output1, padded, Native.Min(piece, pieces - 1));
        staged.X0 = x[at];
        staged.X1 = x[at + Wave.Lanes];
        if (terms > 1)
        {
            staged.X2 = x[at + 2 * Wave.Lanes];
            staged.X3 = x[at + 3 * Wave.Lanes];
            staged.X4 = x[at + 4 * Wave.Lanes];
            staged.X5 = x[at + 5 * Wave.Lanes];
        }

        return staged;
    }

    /// <param name="step">That was read, counted as there.</param>
    /// <param name="half">Of shared memory.</param>
    private static void Write<TWeights, TTerms>(
        Staged staged, int step, ArrayView<uint> tables, ArrayView<int> groups, int output0, int output1, int padded,
        ArrayView<UInt4> weights, ArrayView<UInt4> inputs, int to, int half)
        where TWeights : struct, ITileWeights
        where TTerms : struct, ITerms
    {
        var format = default(TWeights);
        var terms = default(TTerms).Count;
        weights[half * Step + to] = format.Decode(staged.W0, step % format.Parts, staged.S0, tables, groups, output0, padded);
        weights[half * Step + to + Wave.Lanes] = format.Decode(
            staged.W1, step % format.Parts, staged.S1, tables, groups, output1, padded);
        var at = half * Step * terms + to;
        inputs[at] = staged.X0;
        inputs[at + Wave.Lanes] = staged.X1;
        if (terms > 1)
        {
            inputs[at + Step] = staged.X2;
            inputs[at + Step + Wave.Lanes] = staged.X3;
            inputs[at + 2 * Step] = staged.X4;
            inputs[at + 2 * Step + Wave.Lanes] = staged.X5;
        }
    }

    /// <summary>Multiplies a step of a wave's quarter.</summary>
    /// <param name="fromWeights">This lane's piece of the first of four panels.</param>
    /// <param name="fromInputs">This lane's piece of the first of four tiles.</param>
    /// <param name="half">Of shared memory.</param>
    private static Sums MultiplyAdd<THalf, TTerms>(
        ArrayView<UInt4> weights, ArrayView<UInt4> inputs, int fromWeights, int fromInputs, int half, Sums sums)
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
    {
        var terms = default(TTerms).Count;
        var from = half * Step + fromWeights;
        var w0 = weights[from];
        var w1 = weights[from + Wave.Lanes];
        var w2 = weights[from + 2 * Wave.Lanes];
        var w3 = weights[from + 3 * Wave.Lanes];
        for (var term = 0; term < terms; term++)
        {
            var at = (half * terms + term) * Step + fromInputs;
            sums = MultiplyAdd<THalf>(
                w0, w1, w2, w3, inputs[at], inputs[at + Wave.Lanes], inputs[at + 2 * Wave.Lanes], inputs[at + 3 * Wave.Lanes], sums);
        }

        return sums;
    }

    private static Sums MultiplyAdd<THalf>(UInt4 w0, UInt4 w1, UInt4 w2, UInt4 w3, UInt4 x0, UInt4 x1, UInt4 x2, UInt4 x3, Sums sums)
        where THalf : struct, IHalfFormat
    {
        var half = default(THalf);
        sums.C00 = half.MultiplyAdd(w0.X, w0.Y, x0.X, x0.Y, sums.C00);
        sums.C01 = half.MultiplyAdd(w0.X, w0.Y, x1.X, x1.Y, sums.C01);
        sums.C02 = half.MultiplyAdd(w0.X, w0.Y, x2.X, x2.Y, sums.C02);
        sums.C03 = half.MultiplyAdd(w0.X, w0.Y, x3.X, x3.Y, sums.C03);
        sums.C10 = half.MultiplyAdd(w1.X, w1.Y, x0.X, x0.Y, sums.C10);
        sums.C11 = half.MultiplyAdd(w1.X, w1.Y, x1.X, x1.Y, sums.C11);
        sums.C12 = half.MultiplyAdd(w1.X, w1.Y, x2.X, x2.Y, sums.C12);
        sums.C13 = half.MultiplyAdd(w1.X, w1.Y, x3.X, x3.Y, sums.C13);
        sums.C20 = half.MultiplyAdd(w2.X, w2.Y, x0.X, x0.Y, sums.C20);
        sums.C21 = half.MultiplyAdd(w2.X, w2.Y, x1.X, x1.Y, sums.C21);
        sums.C22 = half.MultiplyAdd(w2.X, w2.Y, x2.X, x2.Y, sums.C22);
        sums.C23 = half.MultiplyAdd(w2.X, w2.Y, x3.X, x3.Y, sums.C23);
        sums.C30 = half.MultiplyAdd(w3.X, w3.Y, x0.X, x0.Y, sums.C30);
        sums.C31 = half.MultiplyAdd(w3.X, w3.Y, x1.X, x1.Y, sums.C31);
        sums.C32 = half.MultiplyAdd(w3.X, w3.Y, x2.X, x2.Y, sums.C32);
        sums.C33 = half.MultiplyAdd(w3.X, w3.Y, x3.X, x3.Y, sums.C33);
        sums.C00 = half.MultiplyAdd(w0.Z, w0.W, x0.Z, x0.W, sums.C00);
        sums.C01 = half.MultiplyAdd(w0.Z, w0.W, x1.Z, x1.W, sums.C01);
        sums.C02 = half.MultiplyAdd(w0.Z, w0.W, x2.Z, x2.W, sums.C02);
        sums.C03 = half.MultiplyAdd(w0.Z, w0.W, x3.Z, x3.W, sums.C03);
        sums.C10 = half.MultiplyAdd(w1.Z, w1.W, x0.Z, x0.W, sums.C10);
        sums.C11 = half.MultiplyAdd(w1.Z, w1.W, x1.Z, x1.W, sums.C11);
        sums.C12 = half.MultiplyAdd(w1.Z, w1.W, x2.Z, x2.W, sums.C12);
        sums.C13 = half.MultiplyAdd(w1.Z, w1.W, x3.Z, x3.W, sums.C13);
        sums.C20 = half.MultiplyAdd(w2.Z, w2.W, x0.Z, x0.W, sums.C20);
        sums.C21 = half.MultiplyAdd(w2.Z, w2.W, x1.Z, x1.W, sums.C21);
        sums.C22 = half.MultiplyAdd(w2.Z, w2.W, x2.Z, x2.W, sums.C22);
        sums.C23 = half.MultiplyAdd(w2.Z, w2.W, x3.Z, x3.W, sums.C23);
        sums.C30 = half.MultiplyAdd(w3.Z, w3.W, x0.Z, x0.W, sums.C30);
        sums.C31 = half.MultiplyAdd(w3.Z, w3.W, x1.Z, x1.W, sums.C31);
        sums.C32 = half.MultiplyAdd(w3.Z, w3.W, x2.Z, x2.W, sums.C32);
        sums.C33 = half.MultiplyAdd(w3.Z, w3.W, x3.Z, x3.W, sums.C33);
        return sums;
    }

    private static Sums Add(Sums a, Sums b)
    {
        a.C00 = Add(a.C00, b.C00);
        a.C01 = Add(a.C01, b.C01);
        a.C02 = Add(a.C02, b.C02);
        a.C03 = Add(a.C03, b.C03);
        a.C10 = Add(a.C10, b.C10);
        a.C11 = Add(a.C11, b.C11);
        a.C12 = Add(a.C12, b.C12);
        a.C13 = Add(a.C13, b.C13);
        a.C20 = Add(a.C20, b.C20);
        a.C21 = Add(a.C21, b.C21);
        a.C22 = Add(a.C22, b.C22);
        a.C23 = Add(a.C23, b.C23);
        a.C30 = Add(a.C30, b.C30);
        a.C31 = Add(a.C31, b.C31);
        a.C32 = Add(a.C32, b.C32);
        a.C33 = Add(a.C33, b.C33);
        return a;
    }

    private static Float4 Add(Float4 a, Float4 b)
    {
        a.X += b.X;
        a.Y += b.Y;
        a.Z += b.Z;
        a.W += b.W;
        return a;
    }

    private static void Store(
        Float4 sums, ArrayView<float> bias, ArrayView<float> y, int output, int row, int rows, int outputs, int firstOutput, int stride)
    {
        if (row < rows)
        {
            OutputQuad.Store(sums, bias, 0, y, (long)row * stride + firstOutput, output, outputs);
        }
    }

    /// <summary>A step on its way through registers: two panels of weights, two tiles of rows in up to three terms.</summary>
    private struct Staged
    {
        public UInt4 W0;
        public UInt4 W1;
        public PieceScale S0;
        public PieceScale S1;
        public UInt4 X0;
        public UInt4 X1;
        public UInt4 X2;
        public UInt4 X3;
        public UInt4 X4;
        public UInt4 X5;
    }

    /// <summary>Of panel and tile: a lane's four outputs of its row.</summary>
    private struct Sums
    {
        public Float4 C00;
        public Float4 C01;
        public Float4 C02;
        public Float4 C03;
        public Float4 C10;
        public Float4 C11;
        public Float4 C12;
        public Float4 C13;
        public Float4 C20;
        public Float4 C21;
        public Float4 C22;
        public Float4 C23;
        public Float4 C30;
        public Float4 C31;
        public Float4 C32;
        public Float4 C33;
    }
}
