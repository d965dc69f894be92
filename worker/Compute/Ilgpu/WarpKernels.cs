using System.Collections.Concurrent;
using System.Reflection;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>The kernels of <see cref="WarpLinear"/> and <see cref="WarpTileLinear"/> for each way weights are coded that they take; the
/// others have those of <see cref="LinearKernels"/>.</summary>
internal static class WarpKernels
{
    private static readonly ConcurrentDictionary<MethodInfo, Kernel> Made = new();

    /// <summary>By what callers know, so that types are put together once and not at every launch.</summary>
    private static readonly ConcurrentDictionary<(string Name, WeightFormat Format, Type? Input, bool Rounds, int Tiles), Kernel> Known =
        new();

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Kernel> All =>
    [
        .. from format in LinearKernels.Formats
           from rounds in new[] { false, true }
           where Takes(format, rounds)
           from kernel in KernelsOf(format, rounds)
           select kernel,
    ];

    /// <summary>Whether weights are multiplied as 16-bit floats, however many rows there are. All others are multiplied in fp32, without
    /// matrix instructions.</summary>
    /// <param name="rounds">See <see cref="IlgpuOptions.RoundsActivations"/>.</param>
    public static bool Takes(WeightFormat format, bool rounds) => MatrixKernels.TileTermsOf(format, rounds) > 0;

    /// <param name="input">An <see cref="IInput"/>.</param>
    /// <param name="tiles">Of 8 rows: 1 or 2.</param>
    public static Kernel Of(WeightFormat format, Type input, bool rounds, int tiles) => Known.GetOrAdd(
        (nameof(Of), format, input, rounds, tiles),
        static key => Make(
            typeof(WarpLinear), nameof(WarpLinear.Multiply), Weights(key.Format), MatrixKernels.Half(key.Format),
            typeof(FloatInputs<,>).MakeGenericType(MatrixKernels.Terms(key.Format, key.Rounds), key.Input!), TilesOf(key.Tiles)));

    /// <summary>Of inputs that <see cref="MatrixKernels.Split"/> has split.</summary>
    /// <param name="tiles">Of 8 rows: 4 or 8.</param>
    public static Kernel OfSplit(WeightFormat format, bool rounds, int tiles) => Known.GetOrAdd(
        (nameof(OfSplit), format, null, rounds, tiles),
        static key => Make(
            typeof(WarpLinear), nameof(WarpLinear.Multiply), Weights(key.Format), MatrixKernels.Half(key.Format),
            typeof(SplitInputs<>).MakeGenericType(MatrixKernels.Terms(key.Format, key.Rounds)), TilesOf(key.Tiles)));

    /// <summary>Of rows that each have an expert of their own.</summary>
    /// <param name="tiles">Of 8 rows: 1, 4 or 8.</param>
    public static Kernel OfExperts(WeightFormat format, Type input, bool rounds, int tiles) => Known.GetOrAdd(
        (nameof(OfExperts), format, input, rounds, tiles),
        static key => Make(
            typeof(WarpLinear), nameof(WarpLinear.MultiplyExperts), Weights(key.Format), MatrixKernels.Half(key.Format),
            MatrixKernels.Terms(key.Format, key.Rounds), key.Input!, TilesOf(key.Tiles)));

    /// <summary>With the activation of an MLP, for up to 16 rows of whole quads.</summary>
    public static Kernel Gated(WeightFormat format, bool rounds, int tiles) => Known.GetOrAdd(
        (nameof(Gated), format, null, rounds, tiles),
        static key => Make(
            typeof(WarpLinear), nameof(WarpLinear.MultiplyGated), Weights(key.Format), MatrixKernels.Half(key.Format),
            typeof(FloatInputs<,>).MakeGenericType(MatrixKernels.Terms(key.Format, key.Rounds), typeof(QuadInput)), TilesOf(key.Tiles)));

    /// <summary>With the choice of experts, for up to 16 rows of whole quads.</summary>
    public static Kernel Router(WeightFormat format, bool rounds) => Known.GetOrAdd(
        (nameof(Router), format, null, rounds, 2),
        static key => Make(
            typeof(Router), nameof(Kernels.Router.MultiplyWarps), Weights(key.Format), MatrixKernels.Half(key.Format),
            typeof(FloatInputs<,>).MakeGenericType(MatrixKernels.Terms(key.Format, key.Rounds), typeof(QuadInput))));

    /// <summary>For many rows that are split.</summary>
    public static Kernel Tile(WeightFormat format, bool rounds) => Known.GetOrAdd(
        (nameof(Tile), format, null, rounds, 0),
        static key => Make(
            typeof(WarpTileLinear), nameof(WarpTileLinear.Multiply), Weights(key.Format), MatrixKernels.Half(key.Format),
            MatrixKernels.Terms(key.Format, key.Rounds),
            MatrixKernels.TileTermsOf(key.Format, key.Rounds) == 1 ? typeof(WideTile) : typeof(DeepTile)));

    private static IEnumerable<Kernel> KernelsOf(WeightFormat format, bool rounds)
    {
        var isPlain = format.Kind == WeightKind.Plain;
        return
        [
            .. new[] { 1, 2 }.Select(tiles => Of(format, typeof(QuadInput), rounds, tiles)),
            Of(format, typeof(AnyInput), rounds, 1), Gated(format, rounds, 1), Gated(format, rounds, 2),
            .. new[] { 4, 8 }.Select(tiles => OfSplit(format, rounds, tiles)),
            .. new[] { 1, 4, 8 }.Select(tiles => OfExperts(format, typeof(QuadInput), rounds, tiles)),
            OfExperts(format, typeof(AnyInput), rounds, 1),
            .. isPlain ? new[] { Router(format, rounds) } : [],
            MatrixKernels.Split(format, rounds), Tile(format, rounds),
        ];
    }

    /// <summary>Rearranges a panel of pieces as <see cref="Linear"/> has them to what the kernels read.</summary>
    public static void Arrange(WeightFormat format, Span<byte> panel)
    {
        if (format.Kind == WeightKind.Plain)
        {
            PairedPieces.Arrange(panel);
        }
        else if (PairsNibbles(format))
        {
            PairedNibbles<BF16Format>.Arrange(panel);
        }
    }

    /// <summary>Whether codes lie as <see cref="PairedNibbles{THalf}"/> has them.</summary>
    private static bool PairsNibbles(WeightFormat format) =>
        format is { Kind: WeightKind.Grouped, Bits: 4, IsScattered: false, DType: DType.F16 or DType.BF16 };

    private static Type Weights(WeightFormat format) =>
        format.Kind == WeightKind.Plain ? typeof(WholePieces)
        : format.Kind != WeightKind.Grouped ? typeof(RoundedE4M3<,>).MakeGenericType(format.KernelType, MatrixKernels.Half(format))
        : PairsNibbles(format) ? typeof(PairedNibbles<>).MakeGenericType(MatrixKernels.Half(format))
        : typeof(RoundedIntegers<,,>).MakeGenericType([.. format.KernelType.GetGenericArguments(), MatrixKernels.Half(format)]);

    private static Type TilesOf(int count) => count switch
    {
        1 => typeof(OneTile),
        2 => typeof(TwoTiles),
        4 => typeof(FourTiles),
        _ => typeof(EightTiles),
    };

    private static Kernel Make(Type type, string method, params Type[] arguments) => Made.GetOrAdd(
        type.GetMethod(method, BindingFlags.Public | BindingFlags.Static)!.MakeGenericMethod(arguments),
        static made => Kernel.OfWaves(made));
}
