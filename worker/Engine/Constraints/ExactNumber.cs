using System.Globalization;
using System.Numerics;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>A number as JSON writes it, without rounding: <c>Digits / 10^Scale</c>.</summary>
internal readonly record struct ExactNumber : IComparable<ExactNumber>
{
    /// <summary>Beyond the exponents of a double.</summary>
    private const int MaxExponent = 400;

    private ExactNumber(BigInteger digits, int scale)
    {
        while (scale > 0 && digits % 10 == 0)
        {
            (digits, scale) = (digits / 10, scale - 1);
        }

        Digits = digits;
        Scale = scale;
    }

    public ExactNumber(BigInteger whole)
        : this(whole, 0)
    {
    }

    public BigInteger Digits { get; }

    public int Scale { get; }

    public bool IsInteger => Scale == 0;

    public BigInteger Floor
    {
        get
        {
            var power = BigInteger.Pow(10, Scale);
            return BigInteger.DivRem(Digits, power, out var rest) - (rest.Sign < 0 ? 1 : 0);
        }
    }

    public BigInteger Ceiling => Floor + (IsInteger ? 0 : 1);

    /// <summary>Digits behind the point, of the magnitude.</summary>
    public string Fraction =>
        Scale == 0 ? "" : BigInteger.Remainder(BigInteger.Abs(Digits), BigInteger.Pow(10, Scale)).ToString(CultureInfo.InvariantCulture)
            .PadLeft(Scale, '0');

    public static bool TryParse(string text, out ExactNumber number)
    {
        number = default;
        var parts = text.Split('e', 'E');
        var exponent = 0;
        if (parts.Length > 2
            || parts[0].Length > 2 * MaxExponent
            || (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
            || Math.Abs((long)exponent) > MaxExponent)
        {
            return false;
        }

        var point = parts[0].IndexOf('.', StringComparison.Ordinal);
        var decimals = point < 0 ? 0 : parts[0].Length - point - 1;
        var whole = parts[0].Replace(".", "", StringComparison.Ordinal);
        if (!BigInteger.TryParse(whole, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var digits))
        {
            return false;
        }

        var scale = decimals - exponent;
        number = scale >= 0 ? new ExactNumber(digits, scale) : new ExactNumber(digits * BigInteger.Pow(10, -scale));
        return true;
    }

    public ExactNumber Negate() => new(-Digits, Scale);

    /// <summary>Whether this is a whole number of times the other, which is not 0.</summary>
    public bool IsMultipleOf(ExactNumber other)
    {
        var scale = Math.Max(Scale, other.Scale);
        return (At(scale) % other.At(scale)).IsZero;
    }

    public int CompareTo(ExactNumber other)
    {
        var scale = Math.Max(Scale, other.Scale);
        return At(scale).CompareTo(other.At(scale));
    }

    public override string ToString()
    {
        var whole = BigInteger.Divide(BigInteger.Abs(Digits), BigInteger.Pow(10, Scale)).ToString(CultureInfo.InvariantCulture);
        return (Digits.Sign < 0 ? "-" : "") + whole + (Scale == 0 ? "" : "." + Fraction);
    }

    public static bool operator <(ExactNumber left, ExactNumber right) => left.CompareTo(right) < 0;

    public static bool operator >(ExactNumber left, ExactNumber right) => left.CompareTo(right) > 0;

    public static bool operator <=(ExactNumber left, ExactNumber right) => left.CompareTo(right) <= 0;

    public static bool operator >=(ExactNumber left, ExactNumber right) => left.CompareTo(right) >= 0;

    private BigInteger At(int scale) => Digits * BigInteger.Pow(10, scale - Scale);
}
