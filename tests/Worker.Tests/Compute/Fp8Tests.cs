using System.Runtime.Intrinsics;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Tests.Compute;

public class Fp8Tests
{
    private delegate float Decoder(byte code);

    private delegate byte Encoder(float value);

    public static TheoryData<string> Types => new() { nameof(DType.F8E4M3), nameof(DType.F8E5M2) };

    [Theory, MemberData(nameof(Types))]
    public void Every_code_has_the_value_that_the_specification_gives_it(string type)
    {
        var (oracle, decode, _) = Codec(type);
        Assert.All(Enumerable.Range(0, 256), code =>
        {
            Assert.Equal(Bits(oracle.Value((byte)code)), Bits(decode((byte)code)));
        });
    }

    [Fact]
    public void Tabled_values_of_the_specification_hold()
    {
        Assert.Equal(
            [448f, 0.015625f, 0.001953125f, -448f], [Fp8.FromE4M3(0x7E), Fp8.FromE4M3(0x08), Fp8.FromE4M3(0x01), Fp8.FromE4M3(0xFE)]);
        Assert.Equal([57344f, 6.1035156e-5f, 1.5258789e-5f], [Fp8.FromE5M2(0x7B), Fp8.FromE5M2(0x04), Fp8.FromE5M2(0x01)]);
        Assert.True(float.IsNaN(Fp8.FromE4M3(0x7F)) && float.IsNaN(Fp8.FromE4M3(0xFF)) && float.IsNaN(Fp8.FromE5M2(0x7D)));
        Assert.Equal(float.NegativeInfinity, Fp8.FromE5M2(0xFC));
    }

    [Theory, MemberData(nameof(Types))]
    public void Every_number_survives_the_way_there_and_back(string type)
    {
        var (_, decode, encode) = Codec(type);
        Assert.All(Enumerable.Range(0, 256), code =>
        {
            var value = decode((byte)code);
            if (float.IsFinite(value))
            {
                Assert.Equal((byte)code, encode(value));
            }
        });
    }

    [Theory, MemberData(nameof(Types))]
    public void Around_every_boundary_between_two_codes_the_nearer_one_is_taken_and_in_the_middle_the_even_one(string type)
    {
        var (oracle, _, encode) = Codec(type);
        for (var code = 0; code + 1 < oracle.Finite.Count; code++)
        {
            var middle = (float)((oracle.Finite[code] + oracle.Finite[code + 1]) / 2);
            foreach (var sign in new[] { 1, -1 })
            {
                var negative = sign < 0 ? 0x80 : 0;
                Assert.Equal(negative | code, encode(sign * MathF.BitDecrement(middle)));
                Assert.Equal(negative | (code + (code % 2)), encode(sign * middle));
                Assert.Equal(negative | (code + 1), encode(sign * MathF.BitIncrement(middle)));
            }
        }
    }

    [Theory, MemberData(nameof(Types))]
    public void Numbers_of_every_magnitude_are_encoded_as_the_search_of_the_table_does(string type)
    {
        var (oracle, _, encode) = Codec(type);
        var random = new Random(3);
        Assert.All(Enumerable.Range(0, 20_000), i =>
        {
            var value = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
            Assert.Equal(oracle.Nearest(value), encode(value));
            value = (float)(random.NextDouble() * Math.Pow(2, random.Next(-20, 18)));
            Assert.Equal(oracle.Nearest(value), encode(value));
        });
    }

    [Theory, MemberData(nameof(Types))]
    public void What_is_too_large_saturates_and_what_is_no_number_stays_none(string type)
    {
        var (oracle, decode, encode) = Codec(type);
        var largest = (float)oracle.Finite[^1];
        Assert.All(new[] { largest, MathF.BitIncrement(largest), largest * 2, float.MaxValue, float.PositiveInfinity }, value =>
        {
            Assert.Equal((largest, -largest), (decode(encode(value)), decode(encode(-value))));
        });

        Assert.True(float.IsNaN(decode(encode(float.NaN))));
        Assert.Equal((0x00, 0x80), (encode(0f), encode(-0f)));
        Assert.Equal(0x80, encode(-float.Epsilon));
    }

    [Fact]
    public void Vectors_decode_every_code_as_scalars_do()
    {
        DecodesAll<Vector512<float>, Simd512>();
        DecodesAll<Vector256<float>, Simd256>();
        DecodesAll<float, SimdScalar>();
    }

    private static unsafe void DecodesAll<V, TSimd>()
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        var bytes = stackalloc byte[256 + 64];
        var words = stackalloc uint[16];
        var result = stackalloc float[16];
        var table = stackalloc float[16 * 16];
        for (var i = 0; i < 256; i++)
        {
            bytes[i] = (byte)i;
            table[i] = i * 1.5f;
        }

        for (var first = 0; first < 256; first += lanes)
        {
            TSimd.Store(TSimd.LoadE4M3(bytes + first), result);
            AssertLanes(result, lanes, lane => Fp8Oracle.E4M3.Value((byte)(first + lane)));
            TSimd.Store(TSimd.LoadE5M2(bytes + first), result);
            AssertLanes(result, lanes, lane => Fp8Oracle.E5M2.Value((byte)(first + lane)));
            for (var place = 0; place < 4; place++)
            {
                Fill(words, lanes, lane => (byte)(first + lane), place);
                var word = TSimd.Load((float*)words);
                TSimd.Store(TSimd.SmallE4M3(word, 24 - 8 * place), result);
                AssertLanes(result, lanes, lane => ((first + lane) & 0x7F) == 0x7F
                    ? result[lane] : MathF.ScaleB(Fp8Oracle.E4M3.Value((byte)(first + lane)), -120));
                TSimd.Store(place % 2 == 0 ? TSimd.SignedEvenBytes(word) : TSimd.SignedOddBytes(word), result);
                AssertHalves(result, lanes, place / 2, lane => (sbyte)(first + lane));
                TSimd.Store(TSimd.Nibbles(word, 8 * (place % 2)), result);
                AssertHalves(result, lanes, place / 2, lane => (first + lane) & 15);
                TSimd.Store(TSimd.Nibbles(word, 8 * (place % 2) + 4), result);
                AssertHalves(result, lanes, place / 2, lane => (first + lane) >> 4);
                foreach (var half in new[] { 0, 1 })
                {
                    var twice = TSimd.TwiceE2M1(word, 4 * half);
                    TSimd.Store(place % 2 == 0 ? TSimd.SignedEvenBytes(twice) : TSimd.SignedOddBytes(twice), result);
                    AssertHalves(result, lanes, place / 2, lane => (int)(2 * E2M1.Values[((first + lane) >> (4 * half)) & 15]));
                }

                TSimd.Store(TSimd.Codes(words, 8 * place, 255), result);
                AssertLanes(result, lanes, lane => first + lane);
                TSimd.Store(TSimd.Codes(words, 8 * place + 4, 15), result);
                AssertLanes(result, lanes, lane => (first + lane) >> 4);
                TSimd.Store(TSimd.Lookup(table, 16, words, 8 * place), result);
                AssertLanes(result, lanes, lane => (16 * ((first + lane) & 15) + lane) * 1.5f);
            }
        }
    }

    /// <summary>The other bytes of each word are all ones.</summary>
    private static unsafe void Fill(uint* words, int lanes, Func<int, byte> code, int place)
    {
        for (var lane = 0; lane < lanes; lane++)
        {
            words[lane] = (0xFFFF_FFFF & ~(0xFFu << (8 * place))) | ((uint)code(lane) << (8 * place));
        }
    }

    /// <summary>One of the two numbers of 16 bits of each lane.</summary>
    private static unsafe void AssertHalves(float* actual, int lanes, int half, Func<int, int> expected)
    {
        for (var lane = 0; lane < lanes; lane++)
        {
            Assert.Equal(expected(lane), ((short*)actual)[(2 * lane) + half]);
        }
    }

    private static unsafe void AssertLanes(float* actual, int lanes, Func<int, float> expected)
    {
        for (var lane = 0; lane < lanes; lane++)
        {
            Assert.Equal(Bits(expected(lane)), Bits(actual[lane]));
        }
    }

    /// <summary>Tells -0 from 0, but not one NaN from another.</summary>
    private static int Bits(float value) => float.IsNaN(value) ? -1 : BitConverter.SingleToInt32Bits(value);

    private static (Fp8Oracle Oracle, Decoder Decode, Encoder Encode) Codec(string type) => type == nameof(DType.F8E4M3)
        ? (Fp8Oracle.E4M3, Fp8.FromE4M3, Fp8.ToE4M3)
        : (Fp8Oracle.E5M2, Fp8.FromE5M2, Fp8.ToE5M2);
}
