using System.Reflection;
using Cluster.Worker.Tokenization.Jinja;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Writes random templates that want far more than they may have: large texts, lists and numbers through every operator, filter
/// and method there is.</summary>
internal sealed class HostileTemplate(Random random)
{
    private static readonly string[] Filters = [.. Names(typeof(Filters))];

    private static readonly string[] Tests = [.. Names(typeof(Cluster.Worker.Tokenization.Jinja.Tests))];

    private static readonly string[] Methods = [
        "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "partition", "rpartition", "join", "replace", "startswith", "endswith",
        "removeprefix", "removesuffix", "find", "rfind", "index", "count", "upper", "lower", "title", "capitalize", "isdigit", "isalpha",
        "isalnum", "isspace", "isupper", "islower", "ljust", "rjust", "zfill", "casefold", "swapcase", "center", "expandtabs", "format",
        "translate", "encode", "append", "extend", "insert", "pop", "copy", "reverse", "sort", "clear", "remove", "get", "items", "keys",
        "values", "update", "setdefault", "index", "rindex"];

    private static readonly string[] Numbers = ["0", "1", "2", "-1", "7", "300", "9999", "1000000", "999999999", "123456789012", "2.5", "-3"];

    private static readonly string[] Texts = [
        "'x'", "' '", "'\\n'", "'ab, '", "'<&>'", "'é古🐸'", "'%s %5000d '", "'{} {:>9000}{0}'", "''", "'a.b.c'", "'\\\\\"'"];

    /// <summary>Some statements, nested at most so deep.</summary>
    public string Statements(int depth)
    {
        var count = random.Next(1, 4);
        return string.Concat(Enumerable.Range(0, count).Select(_ => Statement(depth)));
    }

    private string Statement(int depth) => random.Next(depth > 0 ? 9 : 3) switch
    {
        0 or 1 or 2 => $"{{{{ {Expression(4)} }}}}",
        3 => $"{{% set v{random.Next(3)} = {Expression(4)} %}}",
        4 => $"{{% for i in {Expression(3)} %}}{Statements(depth - 1)}{{% endfor %}}",
        5 => $"{{% set ns.a = {Expression(3)} %}}",
        6 => $"{{% set v1 %}}{Statements(depth - 1)}{{% endset %}}",
        7 => $"{{% macro m(a, b='c') %}}{Statements(depth - 1)}{{{{ varargs }}}}{{% endmacro %}}{{{{ m({Expression(2)}, {Expression(2)}, *{Expression(2)}) }}}}",
        _ => $"{{% filter {Pick(Filters)} %}}{Statements(depth - 1)}{{% endfilter %}}",
    };

    private string Expression(int depth) => random.Next(depth > 0 ? 12 : 5) switch
    {
        0 => Pick(Numbers),
        1 => $"({Pick(Texts)} * {Pick(Numbers)})",
        2 => $"range({Pick(Numbers)})",
        3 => Pick("v0", "v1", "v2", "ns.a", "i", "loop", "messages", "l"),
        4 => Pick(Texts),
        5 => $"({Expression(depth - 1)} {Pick("+", "*", "~", "%", "==", "<", "in", "and", "or", "//", "**")} {Expression(depth - 1)})",
        6 => $"{Expression(depth - 1)}[{Bound()}:{Bound()}:{Bound()}]",
        7 => $"({Expression(depth - 1)} | {Pick(Filters)}({Arguments(depth - 1)}))",
        8 => $"({Expression(depth - 1)} | {Pick(Filters)})",
        9 => $"{Expression(depth - 1)}.{Pick(Methods)}({Arguments(depth - 1)})",
        10 => $"[{Expression(depth - 1)}, {Expression(depth - 1)}]",
        _ => random.Next(3) switch
        {
            0 => $"({Expression(depth - 1)} is {Pick(Tests)})",
            1 => $"dict(a={Expression(depth - 1)}, b={Expression(depth - 1)})",
            _ => $"{{{Pick(Texts)}: {Expression(depth - 1)}}}",
        },
    };

    private string Arguments(int depth) => random.Next(5) switch
    {
        0 => "",
        1 => Expression(depth),
        2 => $"{Pick(Texts)}, {Expression(depth)}",
        3 => $"{Expression(depth)}, {Expression(depth)}",
        _ => Pick("attribute='a'", "width=9000", "indent=9000", "count=5", "'upper'", "separators=('x' * 100000, 'y')", "linecount=3", "9000"),
    };

    private string Bound() => random.Next(3) == 0 ? Pick(Numbers) : "";

    private string Pick(params string[] of) => of[random.Next(of.Length)];

    private static IEnumerable<string> Names(Type type) =>
        ((System.Collections.IDictionary)type.GetField("All", BindingFlags.NonPublic | BindingFlags.Static)!.GetValue(null)!).Keys
            .Cast<string>().Where(name => char.IsLetter(name[0]) && name is not ("none" or "true" or "false" or "in"));
}
