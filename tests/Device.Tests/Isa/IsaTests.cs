using System.Globalization;
using System.Text;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Device.Tests.Isa;

/// <summary>Every kernel as AMD's instructions, read where no GPU is at hand.</summary>
public sealed class IsaTests
{
    private const string Missing = "neither clang-19 nor clang-22 is installed";

    /// <summary>Those that a compiler is there for.</summary>
    private static readonly string[] Architectures =
        [.. ((string[])["gfx90a", "gfx942", "gfx950"]).Where(one => Assembler.For(one) is not null)];

    private static readonly Lazy<Task<List<(string Kernel, string Architecture, IsaFacts Facts)>>> Compiled = new(CompileAllAsync);

    /// <summary>Those that such GPUs run: with matrix cores, that leaves out the kernels of <see cref="Linear"/>. Kernels for rows of any
    /// width, which no published model has, are read when the documents are written.</summary>
    private static readonly Kernel[] Kernels =
    [
        .. BackendKernels.WithMfma.Where(kernel =>
            (KernelTables.AreWritten
                || !kernel.Name.Contains(nameof(AnyInput), StringComparison.Ordinal))
            && kernel.Method.DeclaringType != typeof(Linear)
            && (kernel.Method.DeclaringType != typeof(Router) || kernel.Method.Name == nameof(Router.MultiplyTiles))),
    ];

    [Fact]
    public async Task No_kernel_spills_or_races_and_those_that_multiply_tiles_use_matrix_cores()
    {
        Assert.SkipWhen(Architectures.Length == 0, Missing);
        var facts = await Compiled.Value;

        Assert.All(facts, one =>
        {
            Assert.Equal((one.Kernel, 0, 0), (one.Kernel, one.Facts.Scratch, one.Facts.UnfencedBarriers));

            // Accumulators included: a lane has 512. What decodes codes beside a tile's sums needs more than half of them.
            var most = IsTile(one.Kernel) && !IsWhole(one.Kernel) ? 512 : 256;
            Assert.True(one.Facts.Vgprs <= most && one.Facts.SharedBytes <= 64 << 10, $"{one.Kernel}: {one.Facts}");
            Assert.Equal((one.Kernel, Multiplies(one.Kernel)), (one.Kernel, one.Facts.MatrixInstructions > 0));
            if (StreamsMemory(one.Kernel))
            {
                Assert.True(one.Facts.WideLoads > 0, $"{one.Kernel} for {one.Architecture} has no 16-byte load: {one.Facts}");
            }
        });
    }

    [Fact]
    public async Task Tiles_issue_little_but_matrix_and_shared_memory_instructions_and_move_no_accumulators()
    {
        Assert.SkipWhen(Architectures.Length == 0, Missing);
        var tiles = (await Compiled.Value).Where(one => IsTile(one.Kernel) && IsWhole(one.Kernel)).ToArray();

        Assert.Equal(3 * Architectures.Length, tiles.Length);
        Assert.All(tiles, one =>
        {
            Assert.Equal((one.Kernel, 0), (one.Kernel, one.Facts.Inner!.Moves));
            Assert.True(one.Facts.Inner.Share >= 0.85, $"{one.Kernel} for {one.Architecture}: {one.Facts.Inner}");
        });
    }

    /// <summary>One group a compute unit is the least that a device is given: its waves alone must keep memory busy.</summary>
    [Fact]
    public async Task Kernels_for_few_rows_keep_16_KiB_of_weights_on_their_way_in_every_group()
    {
        Assert.SkipWhen(Architectures.Length == 0, Missing);
        var few = (await Compiled.Value).Where(one => one.Kernel.StartsWith("MatrixLinear.Multiply(", StringComparison.Ordinal)).ToArray();

        Assert.NotEmpty(few);
        Assert.True(MatrixLinear.BytesInFlight * Wave.MaxWaves >= 16 << 10);

        // Where the compiler keeps a loop over the quads of a piece, the loads are in the loop around it.
        Assert.All(few, one => Assert.True(
            one.Facts.Inner!.Matrix > 4
                ? one.Facts.Inner.WideLoads >= MatrixLinear.StepsAtOnce
                : one.Facts.WideLoads >= 2 * MatrixLinear.StepsAtOnce,
            $"{one.Kernel} for {one.Architecture}: {one.Facts}"));
    }

    [Fact]
    public async Task The_documents_have_the_tables_that_the_compilers_give()
    {
        Assert.SkipWhen(Architectures.Length == 0, Missing);
        var facts = await Compiled.Value;
        var text = await File.ReadAllTextAsync(KernelTables.Document, TestContext.Current.CancellationToken);
        var compared = 0;
        foreach (var architecture in Architectures)
        {
            var written = KernelTables.Of(text, architecture);
            var table = Table([.. facts.Where(one => one.Architecture == architecture)], Assembler.For(architecture)!.Version);
            if (KernelTables.AreWritten)
            {
                text = KernelTables.With(text, architecture, table);
                written = table;
            }

            // Another compiler's table says nothing about this one.
            if (written.StartsWith(FirstLine(Assembler.For(architecture)!.Version), StringComparison.Ordinal))
            {
                Assert.Equal(table, written);
                compared++;
            }
        }

        if (KernelTables.AreWritten)
        {
            await File.WriteAllTextAsync(KernelTables.Document, text, TestContext.Current.CancellationToken);
        }

        Assert.SkipWhen(compared == 0, "the tables are other compilers' than those here");
    }

    private static bool IsTile(string kernel) => kernel.StartsWith("TileLinear", StringComparison.Ordinal);

    /// <summary>Tiles of weights that are 16-bit floats already.</summary>
    private static bool IsWhole(string kernel) => kernel.Contains(nameof(WholePieces), StringComparison.Ordinal);

    private static bool Multiplies(string kernel) =>
        Array.Exists(
            (string[])["MatrixLinear.", "TileLinear.", "FlashAttention.", "Router."],
            name => kernel.StartsWith(name, StringComparison.Ordinal));

    /// <summary>What reads weights or the cache, in rows of whole quads.</summary>
    private static bool StreamsMemory(string kernel) =>
        kernel.Contains("QuadInput", StringComparison.Ordinal) || kernel.Contains("Attention.Attend", StringComparison.Ordinal)
        || kernel == "Rows.CopyBlocks";

    private static async Task<List<(string Kernel, string Architecture, IsaFacts Facts)>> CompileAllAsync()
    {
        var compiler = new ClCompiler(CLDeviceVendor.AMD);
        var facts = new List<(string Kernel, string Architecture, IsaFacts Facts)>();
        await Parallel.ForEachAsync(Kernels, async (kernel, _) =>
        {
            var source = compiler.Compile(kernel, Wave.MaxWaves);
            foreach (var architecture in Architectures)
            {
                var own = IsaFacts.Of(await Assembler.For(architecture)!.AssembleAsync(source, architecture));
                lock (facts)
                {
                    facts.Add((kernel.Name, architecture, own));
                }
            }
        });
        return [.. facts.OrderBy(one => one.Kernel, StringComparer.Ordinal).ThenBy(one => one.Architecture, StringComparer.Ordinal)];
    }

    private static string FirstLine(string version) => $"Compiled by {version}.";

    private static string Table(IReadOnlyList<(string Kernel, string Architecture, IsaFacts Facts)> facts, string version)
    {
        var text = new StringBuilder();
        text.Append(FirstLine(version)).Append(" Kernels for rows of any width (AnyInput) are left out.\n\n")
            .Append("| kernel | registers | shared bytes | waves a SIMD | 16-byte loads | other loads | matrix | barriers ")
            .Append("| inner loop: matrix, shared, memory, moves, vector, scalar | matrix and shared | weights in flight |\n")
            .Append("|---|---|---|---|---|---|---|---|---|---|---|\n");
        foreach (var (kernel, _, own) in facts.Where(one => !one.Kernel.Contains("AnyInput", StringComparison.Ordinal)))
        {
            text.Append($"| {kernel} | {own.Vgprs} | {own.SharedBytes} | {own.Occupancy} | {own.WideLoads} ")
                .Append($"| {own.NarrowLoads} | {own.MatrixInstructions} | {own.Barriers} | ");
            if (own.Inner is { } loop)
            {
                text.Append($"{loop.Matrix}, {loop.Shared}, {loop.Memory}, {loop.Moves}, {loop.Vector}, {loop.Scalar} | ")
                    .Append(CultureInfo.InvariantCulture, $"{100 * loop.Share:F1} % | ");
            }
            else
            {
                text.Append("| | ");
            }

            text.Append(kernel.StartsWith("MatrixLinear", StringComparison.Ordinal)
                ? $"{MatrixLinear.BytesInFlight * Wave.MaxWaves >> 10} KiB |\n"
                : "|\n");
        }

        return text.ToString();
    }
}
