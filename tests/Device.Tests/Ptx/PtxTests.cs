using System.Globalization;
using System.Text;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile.Ptx;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Device.Tests.Ptx;

/// <summary>Kernels in the instructions of NVIDIA's GPUs, read where no GPU is at hand: a driver makes the same of our PTX.</summary>
public sealed class PtxTests
{
    /// <summary>The oldest that has matrix instructions of 16 inputs; later ones run what is written for it.</summary>
    private const string Target = "sm_80";

    private const string Missing = "ptxas is not installed: see get-ptxas";

    /// <summary>Bytes of memory that a lane may have for what does not fit its registers, outside of the loops that multiply.</summary>
    private const int FewBytes = 48;

    private static readonly Lazy<Task<List<(string Kernel, SassFacts Facts)>>> Assembled = new(AssembleAllAsync);

    [Fact]
    public async Task NVIDIAs_assembler_takes_the_kernels_and_their_registers_are_enough()
    {
        Assert.SkipWhen(Ptxas.Found is null, Missing);

        Assert.All(await Assembled.Value, one =>
        {
            Assert.True(
                one.Facts.Spilled <= FewBytes && one.Facts.Loop is not { Spills: > 0 } && one.Facts.SharedBytes <= 48 << 10,
                $"{one.Kernel}: {one.Facts}");
            Assert.Equal((one.Kernel, Multiplies(one.Kernel)), (one.Kernel, one.Facts.MatrixInstructions > 0));
        });
    }

    /// <summary>What is loaded is multiplied where it is: weights lie as the instructions take them (<see cref="PairedPieces"/>).</summary>
    [Fact]
    public async Task Tiles_of_16_bit_weights_move_no_register_and_issue_little_but_matrix_and_shared_memory_instructions()
    {
        Assert.SkipWhen(Ptxas.Found is null, Missing);
        var tiles = (await Assembled.Value)
            .Where(one => one.Kernel.StartsWith("WarpTileLinear.Multiply(WholePieces", StringComparison.Ordinal)).ToArray();

        Assert.NotEmpty(tiles);
        Assert.All(tiles, one =>
        {
            Assert.Equal((one.Kernel, 0), (one.Kernel, one.Facts.Loop!.Moves));
            Assert.True(one.Facts.Loop.Share >= 0.6, $"{one.Kernel}: {one.Facts.Loop}");
        });
    }

    /// <summary>A multiprocessor issues four instructions a cycle. Its share of an H100's memory is 14 bytes a cycle (3.35 TB/s, 132 of
    /// them, 1.8 GHz): 290 instructions for a KiB.</summary>
    [Fact]
    public async Task Few_rows_take_fewer_instructions_than_are_issued_while_memory_brings_their_weights()
    {
        Assert.SkipWhen(Ptxas.Found is null, Missing);
        var few = (await Assembled.Value).Where(one => one.Kernel.StartsWith("WarpLinear.Multiply(", StringComparison.Ordinal)
            && one.Kernel.EndsWith("OneTile)", StringComparison.Ordinal) && !IsOfAnyWidth(one.Kernel)).ToArray();

        Assert.NotEmpty(few);
        Assert.All(few, one =>
        {
            Assert.True(one.Facts.Loop!.WideLoads >= 2 * WarpLinear.StepsAtOnce, $"{one.Kernel}: {one.Facts.Loop}");
            Assert.True(SlotsOfKiB(one.Facts.Loop) <= (IsOfF32Scales(one.Kernel) ? 400 : 290), $"{one.Kernel}: {one.Facts.Loop}");
        });
    }

    [Fact]
    public async Task The_documents_have_the_table_that_the_assembler_gives()
    {
        Assert.SkipWhen(Ptxas.Found is null, Missing);
        var text = await File.ReadAllTextAsync(KernelTables.Document, TestContext.Current.CancellationToken);
        var written = KernelTables.Of(text, Target);
        var table = Table([.. (await Assembled.Value).Where(one => IsInTable(one.Kernel))], Ptxas.Found.Version);
        if (KernelTables.AreWritten)
        {
            await File.WriteAllTextAsync(
                KernelTables.Document, KernelTables.With(text, Target, table), TestContext.Current.CancellationToken);
            return;
        }

        // Another assembler's table says nothing about this one.
        Assert.SkipUnless(
            written.StartsWith(FirstLine(Ptxas.Found.Version), StringComparison.Ordinal),
            "the table is another assembler's than that here");
        var rows = written.Split('\n').ToHashSet();
        Assert.All(table.Split('\n'), row => Assert.Contains(row, rows));
    }

    /// <summary>A warp's instructions for a KiB of weights: in a round it has steps of two pieces of 16 bytes for each lane.</summary>
    private static double SlotsOfKiB(SassLoop loop) => loop.Slots / (WarpLinear.StepsAtOnce * 2 * 16 * WarpMatrix.Lanes / 1024.0);

    private static bool Multiplies(string kernel) => kernel.StartsWith("Warp", StringComparison.Ordinal)
        || kernel.StartsWith("Router.MultiplyWarps", StringComparison.Ordinal);

    private static bool IsOfAnyWidth(string kernel) => kernel.Contains(nameof(AnyInput), StringComparison.Ordinal);

    private static bool IsOfF32Scales(string kernel) => kernel.Contains(nameof(F32Scales), StringComparison.Ordinal);

    /// <summary>Of kernels that differ in a type alone one stands for all.</summary>
    private static bool IsInTable(string kernel) => Multiplies(kernel) && !IsOfAnyWidth(kernel) && !IsOfF32Scales(kernel)
        && !kernel.Split('(', ',', ' ', ')').Contains(nameof(F16Format)) && !kernel.Contains(nameof(E5M2Cache), StringComparison.Ordinal)
        && !kernel.Contains(nameof(FourHeadTiles), StringComparison.Ordinal)
        && (!kernel.StartsWith("WarpLinear.MultiplyExperts", StringComparison.Ordinal)
            || kernel.Contains(nameof(WholePieces), StringComparison.Ordinal));

    /// <summary>Those that the tests above are about; where the documents are written all are read.</summary>
    private static bool IsRead(string kernel) => KernelTables.AreWritten || (IsInTable(kernel)
        && !kernel.Contains(".MultiplyGated", StringComparison.Ordinal)
        && (kernel.EndsWith(", OneTile)", StringComparison.Ordinal) || kernel.Contains(nameof(BF16Cache), StringComparison.Ordinal)
            || (kernel.Contains(nameof(WholePieces), StringComparison.Ordinal)
                && !kernel.Contains(".MultiplyExperts", StringComparison.Ordinal))));

    private static async Task<List<(string Kernel, SassFacts Facts)>> AssembleAllAsync()
    {
        var facts = new List<(string Kernel, SassFacts Facts)>();
        var kernels = BackendKernels.WithMma.DistinctBy(kernel => kernel.Name).Where(kernel => IsRead(kernel.Name));
        await Parallel.ForEachAsync(kernels, async (kernel, _) =>
        {
            var own = await Ptxas.Found!.AssembleAsync(PtxCompiler.Compile(kernel, Target, Wave.MaxWaves), Target);
            lock (facts)
            {
                facts.Add((kernel.Name, own));
            }
        });
        return [.. facts.OrderBy(one => one.Kernel, StringComparer.Ordinal)];
    }

    private static string FirstLine(string version) => $"Assembled by ptxas {version}.";

    private static string Table(IReadOnlyList<(string Kernel, SassFacts Facts)> facts, string version)
    {
        var text = new StringBuilder();
        text.Append(FirstLine(version))
            .Append("\n\n| kernel | registers | shared bytes | groups a multiprocessor | 16-byte loads | matrix ")
            .Append("| inner loop: matrix, shared, memory, moves, 16-bit, conversions, other | matrix and shared ")
            .Append("| slots a KiB of weights |\n")
            .Append("|---|---|---|---|---|---|---|---|---|\n");
        foreach (var (kernel, own) in facts)
        {
            text.Append($"| {kernel} | {own.Registers} | {own.SharedBytes} | {own.Groups} | {own.WideLoads} | {own.MatrixInstructions} | ");
            if (own.Loop is { } loop)
            {
                text.Append($"{loop.Matrix}, {loop.Shared}, {loop.Memory}, {loop.Moves}, {loop.Halves}, {loop.Conversions}, ")
                    .Append($"{loop.Other} | ").Append(CultureInfo.InvariantCulture, $"{100 * loop.Share:F0} % | ");
                text.Append(
                    kernel.StartsWith("WarpLinear", StringComparison.Ordinal) || kernel.StartsWith("Router", StringComparison.Ordinal)
                        ? string.Create(CultureInfo.InvariantCulture, $"{SlotsOfKiB(loop):F0} |\n") : "|\n");
            }
            else
            {
                text.Append("| | |\n");
            }
        }

        return text.ToString();
    }
}
