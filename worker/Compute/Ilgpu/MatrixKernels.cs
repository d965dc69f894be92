using System.Collections.Concurrent;
using System.Reflection;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Worker.Compute.Ilgpu;

/// <summary>The kernels of <see cref="MatrixLinear"/> and <see cref="TileLinear"/> for each way weights are coded.</summary>
internal static class MatrixKernels
{
    private static readonly ConcurrentDictionary<MethodInfo, Kernel> Made = new();

    /// <summary>By what callers know, so that types are put together once and not at every launch.</summary>
    private static readonly ConcurrentDictionary<(string Name, WeightFormat Format, Type? Input, bool Rounds, int Tiles), Kernel> Known =
        new();

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Kernel> All =>
    [
        .. from format in LinearKernels.Formats
           from experts in new[] { false, true }
           from input in new[] { typeof(QuadInput), typeof(AnyInput) }
           from rounds in experts && !RoundsExperts(format) ? [false] : Roundings(format)
           from tiles in input == typeof(AnyInput) ? [1] : experts ? new[] { 1, 4 } : TermsOf(format, rounds) > 0 ? [1] : [1, 2, 4]
           select Of(format, input, rounds, tiles, experts),
        .. from format in LinearKernels.Formats
           from rounds in Roundings(format)
           select Gated(format, rounds),
        .. from format in LinearKernels.Formats
           where format.Kind == WeightKind.Plain
           from rounds in Roundings(format)
           select Router(format, rounds),
        .. from format in LinearKernels.Formats
           from rounds in new[] { false, true }
           where TermsOf(format, rounds) > 0
           from kernel in new[] { Split(format, rounds), OfSplit(format, rounds, 2), OfSplit(format, rounds, 4) }
           select kernel,
        .. from format in LinearKernels.Formats
           from rounds in new[] { false, true }
           where TileTermsOf(format, rounds) > 0
           select Tile(format, rounds),
    ];

    /// <summary>16-bit floats that an input becomes in <see cref="Tile"/>; 0 where there is none.</summary>
    public static int TileTermsOf(WeightFormat format, bool rounds) => IsRounded(format, rounds) ? 1 : TermsOf(format, rounds);

    /// <summary>Inputs as they are and, where it makes a difference, rounded.</summary>
    private static bool[] Roundings(WeightFormat format) => TileTermsOf(format, rounds: true) > 0 ? [false, true] : [false];

    /// <summary>Whether codes are decoded to 16-bit floats, as engines do that keep activations in them: FP8, and integers with a scale for
    /// each group.</summary>
    private static bool IsRounded(WeightFormat format, bool rounds) =>
        rounds && !format.IsScattered && format.Kind is WeightKind.Fp8 or WeightKind.BlockFp8 or WeightKind.Grouped;

    /// <summary>Experts of integer codes are multiplied in fp32: rounding takes more registers than MI200 has beside four tiles.</summary>
    private static bool RoundsExperts(WeightFormat format) => format.Kind != WeightKind.Grouped;

    /// <summary>16-bit floats that an input becomes; 0 where weights are multiplied in fp32.</summary>
    /// <param name="rounds">See <see cref="IlgpuOptions.RoundsActivations"/>.</param>
    public static int TermsOf(WeightFormat format, bool rounds) => format.Kind != WeightKind.Plain || format.DType == DType.F32 ? 0
        : rounds ? 1
        : format.DType == DType.BF16 ? default(ExactTerms).Count : 0;

    /// <param name="input">An <see cref="IInput"/>.</param>
    /// <param name="tiles">Of 16 rows: 1, 2 or 4.</param>
    /// <param name="experts">Each row has an expert of its own.</param>
    public static Kernel Of(WeightFormat format, Type input, bool rounds, int tiles, bool experts) => Known.GetOrAdd(
        (experts ? nameof(MatrixLinear.MultiplyExperts) : nameof(MatrixLinear.Multiply), format, input,
            rounds && (!experts || RoundsExperts(format)), tiles),
        static key => Make(typeof(MatrixLinear), key.Name, Product(key.Format, key.Input!, key.Rounds), TilesOf(key.Tiles)));

    /// <summary>With the activation of an MLP, for up to 16 rows of whole quads.</summary>
    public static Kernel Gated(WeightFormat format, bool rounds) => Known.GetOrAdd(
        (nameof(MatrixLinear.MultiplyGated), format, null, rounds, 1),
        static key => Make(typeof(MatrixLinear), key.Name, Product(key.Format, typeof(QuadInput), key.Rounds)));

    /// <summary>With the choice of experts, for up to 16 rows of whole quads.</summary>
    public static Kernel Router(WeightFormat format, bool rounds) => Known.GetOrAdd(
        (nameof(Router), format, null, rounds, 1),
        static key => Make(
            typeof(Router), nameof(Kernels.Router.MultiplyTiles), Product(key.Format, typeof(QuadInput), key.Rounds)));

    /// <summary>Of inputs that <see cref="Split"/> has split.</summary>
    public static Kernel OfSplit(WeightFormat format, bool rounds, int tiles) => Known.GetOrAdd(
        (nameof(OfSplit), format, null, rounds, tiles),
        static key => Make(
            typeof(MatrixLinear), nameof(MatrixLinear.Multiply),
            typeof(SplitProduct<,>).MakeGenericType(Half(key.Format), Terms(key.Format, key.Rounds)), TilesOf(key.Tiles)));

    public static Kernel Tile(WeightFormat format, bool rounds) => Known.GetOrAdd(
        (nameof(Tile), format, null, rounds, 0),
        static key => Make(
            typeof(TileLinear), nameof(TileLinear.Multiply),
            key.Format.Kind == WeightKind.Plain
                ? typeof(WholePieces)
                : typeof(RoundedCodes<,>).MakeGenericType(key.Format.KernelType, Half(key.Format)),
            Half(key.Format), Terms(key.Format, key.Rounds)));

    public static Kernel Split(WeightFormat format, bool rounds) => Known.GetOrAdd(
        (nameof(Split), format, null, rounds, 0),
        static key => Make(typeof(SplitRows), nameof(SplitRows.Run), Terms(key.Format, key.Rounds)));

    private static Type Product(WeightFormat format, Type input, bool rounds) => TermsOf(format, rounds) > 0
        ? typeof(HalfProduct<,,>).MakeGenericType(Half(format), Terms(format, rounds), input)
        : IsRounded(format, rounds) ? typeof(RoundedProduct<,,>).MakeGenericType(format.KernelType, Half(format), input)
        : typeof(FloatProduct<,>).MakeGenericType(format.KernelType, input);

    /// <summary>The <see cref="IHalfFormat"/> that weights are multiplied in.</summary>
    public static Type Half(WeightFormat format) => format.DType == DType.F16 ? typeof(F16Format) : typeof(BF16Format);

    /// <summary>The <see cref="ITerms"/> of inputs.</summary>
    public static Type Terms(WeightFormat format, bool rounds) =>
        rounds ? typeof(RoundedTerm<>).MakeGenericType(Half(format)) : typeof(ExactTerms);

    private static Type TilesOf(int count) => count == 1 ? typeof(OneTile) : count == 2 ? typeof(TwoTiles) : typeof(FourTiles);

    private static Kernel Make(Type type, string method, params Type[] arguments) => Made.GetOrAdd(
        type.GetMethod(method, BindingFlags.Public | BindingFlags.Static)!.MakeGenericMethod(arguments),
        static made => made.DeclaringType == typeof(SplitRows) ? Kernel.OfWave(made) : Kernel.OfWaves(made));
}
