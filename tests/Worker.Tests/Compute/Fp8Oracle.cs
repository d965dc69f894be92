using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Compute;

/// <summary>An 8-bit floating-point type by its definition, sign · 2^exponent · 1.mantissa, in double precision; encoding searches the
/// table of all values.</summary>
internal sealed class Fp8Oracle
{
    private readonly int _mantissaBits;
    private readonly int _bias;
    private readonly double[] _finite;

    private Fp8Oracle(int mantissaBits, int bias, int largestCode)
    {
        (_mantissaBits, _bias) = (mantissaBits, bias);
        _finite = [.. Enumerable.Range(0, largestCode + 1).Select(Magnitude)];
    }

    public static Fp8Oracle E4M3 { get; } = new(3, 7, 0x7E);

    public static Fp8Oracle E5M2 { get; } = new(2, 15, 0x7B);

    /// <summary>Values of the codes without sign, ascending.</summary>
    public IReadOnlyList<double> Finite => _finite;

    public static Fp8Oracle Of(DType dtype) => dtype == DType.F8E4M3 ? E4M3 : E5M2;

    public float Value(byte code)
    {
        var magnitude = code & 0x7F;
        var value = magnitude < _finite.Length
            ? _finite[magnitude]
            : this == E5M2 && magnitude == 0x7C ? double.PositiveInfinity : double.NaN;
        return (float)(code < 0x80 ? value : -value);
    }

    /// <summary>The nearest code, the even one of two as near; the largest for all that is larger.</summary>
    public byte Nearest(float value)
    {
        var sign = float.IsNegative(value) ? 0x80 : 0;
        var magnitude = Math.Abs((double)value);
        if (double.IsNaN(magnitude))
        {
            return (byte)(sign | 0x7F);
        }

        var above = Array.FindIndex(_finite, candidate => candidate >= magnitude);
        if (above <= 0)
        {
            return (byte)(sign | (above < 0 ? _finite.Length - 1 : 0));
        }

        double up = _finite[above] - magnitude, down = magnitude - _finite[above - 1];
        return (byte)(sign | (up < down || (up == down && above % 2 == 0) ? above : above - 1));
    }

    public float Round(float value) => Value(Nearest(value));

    private double Magnitude(int code)
    {
        var (exponent, mantissa) = (code >> _mantissaBits, code & ((1 << _mantissaBits) - 1));
        var fraction = Math.ScaleB(mantissa, -_mantissaBits);
        return exponent == 0 ? Math.ScaleB(fraction, 1 - _bias) : Math.ScaleB(1 + fraction, exponent - _bias);
    }
}
