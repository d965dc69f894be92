using System.Numerics;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's arithmetic on template values.</summary>
internal static class Operators
{
    public static object? Apply(string name, object? left, object? right, RenderBudget budget)
    {
        Values.Defined(left);
        Values.Defined(right);
        try
        {
            return (name, left, right) switch
            {
                ("+", string a, string b) => Join(a, b, budget),
                ("+", List<object?> a, List<object?> b) => Concatenate(a, b, budget),
                ("+", object?[] a, object?[] b) => Concatenate(a, b, budget).ToArray(),
                ("*", string or List<object?>, long count) => Repeat(left, count, budget),
                ("*", long count, string or List<object?>) => Repeat(right, count, budget),
                ("%", string format, _) => PercentFormat.Apply(format, right, budget),
                _ when IsInteger(left) && IsInteger(right) => Integers(name, ToLong(left), ToLong(right)),
                (_, BigInteger, not double) or (_, not double, BigInteger) => throw new OverflowException(),
                _ when Values.AsNumber(left) is { } a && Values.AsNumber(right) is { } b => Floats(name, a, b),
                _ => throw new RenderError($"'{name}' cannot be applied to {Values.TypeName(left)} and {Values.TypeName(right)}"),
            };
        }
        catch (OverflowException)
        {
            throw new RenderError($"the result of '{name}' is beyond 64 bits");
        }
    }

    public static object Negate(object? value) => Values.Defined(value) switch
    {
        long number when number != long.MinValue => (object)-number,
        BigInteger large => -large,
        bool flag => flag ? -1L : 0L,
        double number => -number,
        _ => throw new RenderError($"'-' cannot be applied to {Values.TypeName(value)}"),
    };

    public static string Join(string left, string right, RenderBudget budget)
    {
        budget.Characters((long)left.Length + right.Length);
        return left + right;
    }

    private static List<object?> Concatenate(IReadOnlyList<object?> left, IReadOnlyList<object?> right, RenderBudget budget)
    {
        budget.Slots((long)left.Count + right.Count);
        return [.. left, .. right];
    }

    private static object Repeat(object? value, long count, RenderBudget budget)
    {
        count = Math.Max(count, 0);
        if (value is string text)
        {
            count = text.Length == 0 ? 0 : count;
            budget.Characters(checked(text.Length * count));
            return string.Create((int)(text.Length * count), text, (target, source) =>
            {
                source.AsSpan(0, Math.Min(source.Length, target.Length)).CopyTo(target);
                for (var made = source.Length; made < target.Length; made *= 2)
                {
                    target[..Math.Min(made, target.Length - made)].CopyTo(target[made..]);
                }
            });
        }
        var list = (List<object?>)value!;
        budget.Slots(checked(list.Count * count));
        List<object?> result = [];
        for (long i = 0; list.Count > 0 && i < count; i++)
        {
            result.AddRange(list);
        }
        return result;
    }

    private static object Integers(string name, long a, long b) => name switch
    {
        "+" => checked(a + b),
        "-" => checked(a - b),
        "*" => checked(a * b),
        "**" when b >= 0 => Power(a, b),
        "//" when b != 0 => FloorDivide(a, b),
        "%" when b != 0 => b == -1 ? 0L : (a % b + b) % b,
        _ => Floats(name, a, b),
    };

    private static long FloorDivide(long a, long b)
    {
        var quotient = checked(a / b);
        return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    }

    private static long Power(long a, long b)
    {
        long result = 1;
        for (; b > 0; b >>= 1)
        {
            result = (b & 1) == 1 ? checked(result * a) : result;
            a = b > 1 ? checked(a * a) : a;
        }
        return result;
    }

    private static object Floats(string name, double a, double b) => name switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "**" => Math.Pow(a, b),
        _ when b == 0 => throw new RenderError("division by zero"),
        "/" => a / b,
        "//" => Math.Floor(a / b),
        "%" => a - b * Math.Floor(a / b),
        _ => throw new RenderError($"unknown operator '{name}'"),
    };

    private static bool IsInteger(object? value) => value is long or bool;

    private static long ToLong(object? value) => value is bool flag ? (flag ? 1 : 0) : (long)value!;
}
