using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>What decodes two codes at a time, or none by a conversion, gives the bits of what decodes one after the other.</summary>
public sealed class WarpWeightsTests
{
    /// <summary>Scales as 16-bit floats: usual ones, 0, the smallest and the largest, infinity.</summary>
    public static TheoryData<uint> Scales => [0x1c3du, 0x9f01u, 0x3c00u, 0x3f80u, 0u, 0x8000u, 1u, 0x8017u, 0x7bffu, 0x7c00u, 0x7f7fu];

    [Theory, MemberData(nameof(Scales))]
    public void Nibbles_of_fp16(uint scale) => Nibbles<F16Format>(scale);

    [Theory, MemberData(nameof(Scales))]
    public void Nibbles_of_bf16(uint scale) => Nibbles<BF16Format>(scale);

    [Theory, MemberData(nameof(Scales))]
    public void Bytes_of_fp16(uint scale) => Integers<WholeBytes, F16Format>(scale, Enumerable.Range(0, 256));

    [Theory, MemberData(nameof(Scales))]
    public void Bytes_of_bf16(uint scale) => Integers<WholeBytes, BF16Format>(scale, Enumerable.Range(0, 256));

    [Theory, MemberData(nameof(Scales))]
    public void Nibbles_with_scales_in_fp32(uint scale) => Integers<Nibbles, BF16Format>(scale, Enumerable.Range(0, 17));

    /// <summary>NaN makes its neighbours NaN too, and no output another.</summary>
    [Theory, InlineData(1f), InlineData(0.0123f), InlineData(-3e-38f), InlineData(1e38f), InlineData(0f)]
    public void Floats_of_8_bits(float factor)
    {
        var scale = new PieceScale { Scale = factor };
        var random = new Random(1);
        for (var i = 0; i < 2000; i++)
        {
            var codes = Piece(random);
            for (var part = 0; part < 2; part++)
            {
                var expected = default(RoundedCodes<Fp8Weights, BF16Format>).Decode(codes, part, scale, default, default, 0, 0);
                var actual = default(RoundedE4M3<Fp8Weights, BF16Format>).Decode(codes, part, scale, default, default, 0, 0);
                if (Halves(expected).Any(half => IsNaN(half)))
                {
                    Assert.All(Halves(actual), half => Assert.True(IsNaN(half)));
                }
                else
                {
                    Assert.Equal(Halves(expected), Halves(actual));
                }
            }
        }
    }

    private static void Nibbles<THalf>(uint scale)
        where THalf : struct, IHalfFormat
    {
        var random = new Random(2);
        for (var zero = 0; zero <= 16; zero++)
        {
            var codes = Piece(random);
            var paired = codes;
            PairedNibbles<THalf>.Arrange(MemoryMarshal.AsBytes(new Span<UInt4>(ref paired)));
            for (var part = 0; part < 4; part++)
            {
                Assert.Equal(
                    Halves(default(RoundedCodes<GroupedWeights<Nibbles, HalfScales<THalf>>, THalf>).Decode(
                        codes, part, Scale<THalf>(scale, zero), default, default, 0, 0)),
                    Halves(default(PairedNibbles<THalf>).Decode(
                        paired, part, PairedNibbles<THalf>.ScaleOf(scale | ((uint)zero << 16)), default, default, 0, 0)),
                    SameHalf);
            }
        }
    }

    private static void Integers<TWidth, THalf>(uint scale, IEnumerable<int> zeros)
        where TWidth : struct, ICodeWidth
        where THalf : struct, IHalfFormat
    {
        var random = new Random(3);
        foreach (var zero in zeros)
        {
            var codes = Piece(random);
            var own = Scale<THalf>(scale, zero);
            for (var part = 0; part < default(TWidth).Elements / 8; part++)
            {
                Assert.Equal(
                    Halves(default(RoundedCodes<GroupedWeights<TWidth, F32Scales>, THalf>).Decode(
                        codes, part, own, default, default, 0, 0)),
                    Halves(default(RoundedIntegers<TWidth, F32Scales, THalf>).Decode(
                        codes, part, RoundedIntegers<TWidth, F32Scales, THalf>.Behind(own), default, default, 0, 0)),
                    SameHalf);
            }
        }
    }

    private static PieceScale Scale<THalf>(uint scale, int zero)
        where THalf : struct, IHalfFormat => new() { Scale = default(THalf).Widen(scale), Zero = zero };

    private static UInt4 Piece(Random random)
    {
        UInt4 piece = default;
        random.NextBytes(MemoryMarshal.AsBytes(new Span<UInt4>(ref piece)));
        return piece;
    }

    private static ushort[] Halves(UInt4 weights) => MemoryMarshal.Cast<UInt4, ushort>(new Span<UInt4>(ref weights)).ToArray();

    /// <summary>NaN in whatever bits.</summary>
    private static bool SameHalf(ushort a, ushort b) => a == b || (IsNaN(a) && IsNaN(b));

    /// <summary>Of bf16; of fp16 infinities and NaN pass for numbers, and are compared bit by bit.</summary>
    private static bool IsNaN(ushort half) => (half & 0x7fff) > 0x7f80;
}
