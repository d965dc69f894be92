using System.Globalization;
using System.Numerics;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Numbers between two bounds, as patterns of their digits. Called by <see cref="NumberSchema"/>.</summary>
internal static class NumberRanges
{
    /// <summary>Digits behind the point. With whole parts up to <see cref="LargestWithFraction"/>, numbers stay exact enough in a double
    /// never to round across a bound.</summary>
    private const int MaxDecimals = 6;

    private static readonly BigInteger LargestWithFraction = 999_999_999;
    private static readonly RegexNode Digit = new RegexNode.Character(RuneSet.Digits);

    /// <summary>Whole numbers; both bounds belong to them.</summary>
    /// <returns>Null when there are none.</returns>
    public static RegexNode? Integers(BigInteger low, BigInteger high)
    {
        var ways = new List<RegexNode>();
        if (low <= high && high.Sign >= 0)
        {
            ways.AddRange(Naturals(BigInteger.Max(low, 0), high));
        }

        if (low <= high && low.Sign < 0)
        {
            ways.AddRange(Naturals(BigInteger.Max(1, -high), -low).Select(magnitude => Join(Text("-"), magnitude)));
        }

        return Any(ways);
    }

    /// <summary>Numbers with a point.</summary>
    /// <param name="lowIsOpen">Whether the lower bound itself is left out.</param>
    /// <returns>Null when there are none.</returns>
    public static RegexNode? Decimals(ExactNumber low, bool lowIsOpen, ExactNumber high, bool highIsOpen)
    {
        var ways = new List<RegexNode>();
        ways.AddRange(Magnitudes(low, lowIsOpen, high, highIsOpen));
        ways.AddRange(Magnitudes(high.Negate(), highIsOpen, low.Negate(), lowIsOpen).Select(magnitude => Join(Text("-"), magnitude)));
        return Any(ways);
    }

    private static IEnumerable<RegexNode> Magnitudes(ExactNumber low, bool lowIsOpen, ExactNumber high, bool highIsOpen)
    {
        if (high.Digits.Sign < 0)
        {
            yield break;
        }

        (low, lowIsOpen) = low.Digits.Sign < 0 ? (new ExactNumber(0), false) : (low, lowIsOpen);
        var (first, last) = (low.Floor, high.Floor);
        if (first == last)
        {
            if (first <= LargestWithFraction && Fractions(low.Fraction, lowIsOpen, high.Fraction, highIsOpen) is { } between)
            {
                yield return Join(Text(Spell(first)), Text("."), between);
            }

            yield break;
        }

        if (first <= LargestWithFraction && Fractions(low.Fraction, lowIsOpen, null, false) is { } above)
        {
            yield return Join(Text(Spell(first)), Text("."), above);
        }

        if (first + 1 <= BigInteger.Min(last - 1, LargestWithFraction))
        {
            yield return Join(
                Any([.. Naturals(first + 1, BigInteger.Min(last - 1, LargestWithFraction))])!, Text("."),
                new RegexNode.Repetition(Digit, 1, MaxDecimals));
        }

        if (last <= LargestWithFraction && Fractions(null, false, high.Fraction, highIsOpen) is { } below)
        {
            yield return Join(Text(Spell(last)), Text("."), below);
        }
    }

    /// <summary>Digits behind the point, one at least, that lie between two others; null bounds are none.</summary>
    private static RegexNode? Fractions(string? low, bool lowIsOpen, string? high, bool highIsOpen) =>
        Rest(0, low, lowIsOpen, high, highIsOpen);

    private static RegexNode? Rest(int used, string? low, bool lowIsOpen, string? high, bool highIsOpen)
    {
        if (low is null && high is null)
        {
            return new RegexNode.Repetition(Digit, used == 0 ? 1 : 0, MaxDecimals - used);
        }

        var ways = new List<RegexNode>();
        for (var digit = '0'; used < MaxDecimals && digit <= '9'; digit++)
        {
            var least = At(low, used);
            var most = At(high, used);
            if ((low is not null && digit < least) || (high is not null && digit > most))
            {
                continue;
            }

            var rest = Rest(
                used + 1, low is not null && digit == least ? low : null, lowIsOpen, high is not null && digit == most ? high : null,
                highIsOpen);
            if (rest is not null)
            {
                ways.Add(Join(Text(digit.ToString()), rest));
            }
        }

        // To end is to write zeros for ever.
        var lowRest = low is not null && low.Skip(used).Any(digit => digit != '0');
        var highRest = high is not null && high.Skip(used).Any(digit => digit != '0');
        var mayEnd = used > 0
            && (low is null || (!lowRest && !lowIsOpen))
            && (high is null || highRest || !highIsOpen);
        if (mayEnd)
        {
            ways.Add(new RegexNode.Sequence([]));
        }

        return Any(ways);
    }

    private static char At(string? digits, int index) => digits is not null && index < digits.Length ? digits[index] : '0';

    private static IEnumerable<RegexNode> Naturals(BigInteger low, BigInteger high)
    {
        // Numbers of one length at a time: then digits compare as the numbers do.
        while (true)
        {
            var digits = Spell(low);
            var longest = BigInteger.Pow(10, digits.Length) - 1;
            yield return Between(digits, Spell(BigInteger.Min(high, longest)));
            if (high <= longest)
            {
                yield break;
            }

            low = longest + 1;
        }
    }

    private static RegexNode Between(string low, string high)
    {
        if (low.All(digit => digit == '0') && high.All(digit => digit == '9'))
        {
            return new RegexNode.Repetition(Digit, low.Length, low.Length);
        }

        if (low[0] == high[0])
        {
            return Join(Text(low[..1]), Between(low[1..], high[1..]));
        }

        var ways = new List<RegexNode> { Join(Text(low[..1]), Between(low[1..], new string('9', low.Length - 1))) };
        if (low[0] + 1 < high[0])
        {
            ways.Add(
                Join(
                    new RegexNode.Character(RuneSet.Of((low[0] + 1, high[0] - 1))),
                    new RegexNode.Repetition(Digit, low.Length - 1, low.Length - 1)));
        }

        ways.Add(Join(Text(high[..1]), Between(new string('0', high.Length - 1), high[1..])));
        return Any(ways)!;
    }

    private static string Spell(BigInteger number) => number.ToString(CultureInfo.InvariantCulture);

    private static RegexNode Text(string text) =>
        new RegexNode.Sequence([.. text.Select(letter => new RegexNode.Character(RuneSet.Single(letter)))]);

    private static RegexNode Join(params RegexNode[] parts) => new RegexNode.Sequence(parts);

    private static RegexNode? Any(IReadOnlyList<RegexNode> ways) =>
        ways.Count switch { 0 => null, 1 => ways[0], _ => new RegexNode.Alternation(ways) };
}
