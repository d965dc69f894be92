using System.Globalization;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Numbers between two bounds, as automata over their digits. Called by <see cref="JsonSchemaBuilder"/>.</summary>
internal sealed class NumberRanges(AutomatonBuilder builder, JsonGrammar grammar)
{
    /// <summary>Largest whole part that gets decimals, and how many: together they stay exact enough in a double never to round across a
    /// bound.</summary>
    private const long LargestWithFraction = 999_999_999;
    private const int MaxDecimals = 6;

    /// <summary>Of a long: not all numbers of so many digits are one.</summary>
    private const int MaxDigits = 19;

    /// <summary>Whole numbers; both bounds belong to them.</summary>
    /// <returns>False when there are none.</returns>
    public bool Integers(long low, long high, int from, int to)
    {
        if (low > high)
        {
            return false;
        }

        if (high >= 0)
        {
            Naturals(Math.Max(low, 0), high, from, to);
        }

        if (low < 0)
        {
            var magnitude = builder.Node();
            builder.Text("-", from, magnitude);
            Naturals(Math.Max(1, -high), -low, magnitude, to);
        }

        return true;
    }

    /// <summary>Numbers with decimals, whose whole part leaves room for any decimals between the bounds.</summary>
    /// <param name="lowIsOpen">Whether the lower bound itself is left out; decimals may all be zero.</param>
    /// <returns>False when there are none.</returns>
    public bool Decimals(decimal low, bool lowIsOpen, decimal high, bool highIsOpen, int from, int to)
    {
        var positive = Decimals(low, lowIsOpen, high, from, to);
        var magnitude = builder.Node();
        builder.Text("-", from, magnitude);
        return Decimals(-high, highIsOpen, -low, magnitude, to) || positive;
    }

    private bool Decimals(decimal low, bool lowIsOpen, decimal high, int from, int to)
    {
        var first = Math.Max(0, Math.Ceiling(low) + (lowIsOpen && decimal.IsInteger(low) ? 1 : 0));
        var last = Math.Min(LargestWithFraction, Math.Floor(high) - 1);
        if (first > last)
        {
            return false;
        }

        var whole = builder.Node();
        var point = builder.Node();
        Naturals((long)first, (long)last, from, whole);
        builder.Text(".", whole, point);
        builder.Repeat(1, MaxDecimals, point, to, grammar.Digit);
        return true;
    }

    private void Naturals(long low, long high, int from, int to)
    {
        // Numbers of one length at a time: then digits compare as the numbers do.
        while (true)
        {
            var digits = low.ToString(CultureInfo.InvariantCulture);
            var longest = digits.Length == MaxDigits
                ? long.MaxValue
                : long.Parse(new string('9', digits.Length), CultureInfo.InvariantCulture);
            Between(digits, Math.Min(high, longest).ToString(CultureInfo.InvariantCulture), from, to);
            if (high <= longest)
            {
                return;
            }

            low = longest + 1;
        }
    }

    private void Between(string low, string high, int from, int to)
    {
        if (low.All(digit => digit == '0') && high.All(digit => digit == '9'))
        {
            builder.Repeat(low.Length, low.Length, from, to, grammar.Digit);
        }
        else if (low[0] == high[0])
        {
            Between(low[1..], high[1..], Digits(low[0], low[0], from), to);
        }
        else
        {
            Between(low[1..], new string('9', low.Length - 1), Digits(low[0], low[0], from), to);
            if (low[0] + 1 < high[0])
            {
                builder.Repeat(low.Length - 1, low.Length - 1, Digits((char)(low[0] + 1), (char)(high[0] - 1), from), to, grammar.Digit);
            }

            Between(new string('0', high.Length - 1), high[1..], Digits(high[0], high[0], from), to);
        }
    }

    private int Digits(char first, char last, int from)
    {
        var next = builder.Node();
        builder.Bytes((byte)first, (byte)last, from, next);
        return next;
    }
}
