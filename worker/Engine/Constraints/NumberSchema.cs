using System.Numerics;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Numbers and integers of a schema: bounds and <c>multipleOf</c>. Called by <see cref="JsonSchemaBuilder"/>.</summary>
internal sealed class NumberSchema(JsonSchema document, AutomatonBuilder builder, JsonGrammar grammar)
{
    private const string MultipleOf = "multipleOf";
    private static readonly BigInteger LargestInteger = 999_999_999_999_999;

    /// <summary>Bounds beyond this stand for no bound, unless the numbers lie there: readers' decimals end about here.</summary>
    private static readonly BigInteger LargestBound = BigInteger.Pow(10, 28) - 1;

    public void Lay(JsonObject schema, bool onlyIntegers, int from, int to)
    {
        var step = Step(schema);
        var (low, lowIsOpen) = Tighter(document.Number(schema, "minimum"), document.Number(schema, "exclusiveMinimum"), 1);
        var (high, highIsOpen) = Tighter(document.Number(schema, "maximum"), document.Number(schema, "exclusiveMaximum"), -1);
        if (low is null && high is null && step is null)
        {
            if (onlyIntegers)
            {
                grammar.Integer(from, to);
            }
            else
            {
                grammar.Number(from, to);
            }

            return;
        }

        // A missing bound lies beyond all numbers that are written otherwise, and beyond the other bound.
        var least = low ?? new ExactNumber(high is { } h && h.Floor < -LargestInteger ? h.Floor * 10 : -LargestInteger);
        var most = high ?? new ExactNumber(low is { } l && l.Ceiling > LargestInteger ? l.Ceiling * 10 : LargestInteger);
        (least, lowIsOpen) = least.Floor < -LargestBound && most.Floor >= -LargestInteger
            ? (new ExactNumber(-LargestBound), false) : (least, lowIsOpen);
        (most, highIsOpen) = most.Floor > LargestBound && least.Floor <= LargestInteger
            ? (new ExactNumber(LargestBound), false) : (most, highIsOpen);

        var first = least.Ceiling + (lowIsOpen && least.IsInteger ? 1 : 0);
        var last = most.Floor - (highIsOpen && most.IsInteger ? 1 : 0);
        RegexNode?[] ways =
        [
            NumberRanges.Integers(first, last),
            onlyIntegers ? null : NumberRanges.Decimals(least, lowIsOpen, most, highIsOpen),
        ];
        RegexNode[] laid = [.. ways.OfType<RegexNode>()];
        if (laid.Length == 0 || least > most)
        {
            throw document.Refuse(
                $"keywords 'minimum' and 'maximum' leave no {(onlyIntegers ? "integer" : "number that is supported")} between {least} "
                + $"and {most}",
                schema);
        }

        Lay(new RegexNode.Alternation(laid), step, schema, from, to);
    }

    /// <summary>Whether a value of <c>enum</c> keeps to the bounds.</summary>
    public bool Keeps(JsonObject schema, JsonNode value) =>
        ExactNumber.TryParse(value.ToJsonString(), out var number)
        && !(number < document.Number(schema, "minimum"))
        && !(number <= document.Number(schema, "exclusiveMinimum"))
        && !(number > document.Number(schema, "maximum"))
        && !(number >= document.Number(schema, "exclusiveMaximum"))
        && (Step(schema) is not { } step || number.IsMultipleOf(step));

    private void Lay(RegexNode numbers, ExactNumber? step, JsonObject schema, int from, int to)
    {
        if (step is null)
        {
            new RegexBuilder(builder, builder.Runes).Lay(numbers, from, to);
            return;
        }

        var refuse = document.Refusing(schema, MultipleOf);
        var multiples = PatternAutomaton.Whole([new AnchoredBranch(numbers, true, true)], refuse)
            .And(Multiples(step.Value, refuse), refuse);
        if (multiples.IsEmpty)
        {
            throw document.Refuse($"keyword '{MultipleOf}' is {step}, and no multiple lies between the bounds", schema, MultipleOf);
        }

        multiples.Lay(builder, builder.Runes, from, to);
    }

    private ExactNumber? Step(JsonObject schema) => document.Number(schema, MultipleOf) is not { } step ? null
        : step.Digits.Sign > 0 ? step
        : throw document.Refuse($"keyword '{MultipleOf}' is {step}; it must be above 0", schema, MultipleOf);

    /// <summary>Numbers that are a multiple: <c>k / 10^d</c> leaves no rest. A state is the rest modulo k of all digits so far, and how
    /// many of them stand behind the point; behind d of them only zeros come.</summary>
    private static RuneAutomaton Multiples(ExactNumber step, Func<string, Exception> refuse)
    {
        var (k, d) = (step.Digits, step.Scale);
        RuneAutomaton.RequireRoom((int)BigInteger.Min(int.MaxValue, (k * (d + 2)) + 2), refuse);
        var modulus = (int)k;
        var edges = new List<(RuneSet, int)>[(modulus * (d + 1)) + 3];
        var accepting = new bool[edges.Length];
        var (zeros, start, unsigned) = (edges.Length - 1, 0, 1);

        // Without a digit yet there is no rest: 0 is as good.
        edges[start] = [(RuneSet.Single('-'), unsigned), .. Digits(0, 0)];
        edges[unsigned] = [.. Digits(0, 0)];
        edges[zeros] = [(RuneSet.Single('0'), zeros)];
        accepting[zeros] = true;
        for (var decimals = 0; decimals <= d; decimals++)
        {
            for (var rest = 0; rest < modulus; rest++)
            {
                var state = State(rest, decimals);
                var divides = (rest * BigInteger.Pow(10, d - decimals) % modulus).IsZero;
                accepting[state] = divides;
                edges[state] = [];
                if (decimals == 0)
                {
                    // Behind the point the first digit is a decimal.
                    edges[state].AddRange(Digits(rest, 0));
                    edges[state].Add((RuneSet.Single('.'), d == 0 ? zeros : Point(rest)));
                }
                else if (decimals < d)
                {
                    edges[state].AddRange(Digits(rest, decimals + 1));
                }
                else if (divides)
                {
                    edges[state].Add((RuneSet.Single('0'), zeros));
                }

                if (decimals == 0 && d == 0 && !divides)
                {
                    edges[state].RemoveAll(edge => edge.Item2 == zeros);
                }
            }
        }

        return d == 0 ? new RuneAutomaton(edges, accepting) : WithPoints();

        int State(int rest, int decimals) => 2 + (decimals * modulus) + rest;

        IEnumerable<(RuneSet, int)> Digits(int rest, int decimals) => Enumerable.Range(0, 10)
            .GroupBy(digit => State((int)((((long)rest * 10) + digit) % modulus), decimals))
            .Select(group => (RuneSet.Of(group.Select(digit => ('0' + digit, '0' + digit))), group.Key));

        int Point(int rest) => edges.Length + rest;

        // A state of its own behind each point: there a digit must come.
        RuneAutomaton WithPoints()
        {
            var points = Enumerable.Range(0, modulus).Select(rest => Digits(rest, 1).ToList());
            return new RuneAutomaton([.. edges, .. points], [.. accepting, .. Enumerable.Repeat(false, modulus)]);
        }
    }

    /// <param name="direction">1 where the larger bound is the tighter one, -1 where the smaller is.</param>
    private static (ExactNumber? Bound, bool IsOpen) Tighter(ExactNumber? closed, ExactNumber? open, int direction) =>
        open is { } bound && (closed is null || direction * bound.CompareTo(closed.Value) >= 0) ? (open, true) : (closed, false);
}
