namespace Cluster.Worker.Engine.Constraints.Grammars;

/// <summary>Lays a grammar into an automaton: a rule of the one for each rule of the other. Called by
/// <see cref="ConstraintCompiler"/>.</summary>
internal static class GrammarBuilder
{
    /// <param name="definition">GBNF where a rule is written with <c>::=</c>, else Lark's EBNF: vLLM tells them apart by that, too.</param>
    /// <exception cref="InvalidRequestException">The text is no grammar, too large, or has no text.</exception>
    public static void Lay(string definition, AutomatonBuilder builder)
    {
        var parsed = IsGbnf(definition) ? GbnfParser.Parse(definition, builder.Parameter) : LarkParser.Parse(definition, builder.Parameter);
        var grammar = LeftRecursion.Remove(parsed, builder.Refuse);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal) { [grammar.Start] = builder.AddRule() };
        var open = new Queue<string>([grammar.Start]);
        var regex = new RegexBuilder(builder, builder.Runes, Number);
        while (open.TryDequeue(out var name))
        {
            var (start, end) = builder.Rule(numbers[name]);
            regex.Lay(grammar.Rules[name], start, end);
        }

        int Number(string name)
        {
            if (!numbers.TryGetValue(name, out var number))
            {
                if (!grammar.Rules.ContainsKey(name))
                {
                    throw builder.Refuse($"calls the rule '{name}', which is not defined");
                }

                numbers.Add(name, number = builder.AddRule());
                open.Enqueue(name);
            }

            return number;
        }
    }

    private static bool IsGbnf(string definition) => definition.Split('\n')
        .Select(line => line.TrimStart())
        .Any(line => !line.StartsWith('#') && !line.StartsWith("//", StringComparison.Ordinal) && Defines(line));

    /// <summary>Outside texts, which may hold anything.</summary>
    private static bool Defines(string line)
    {
        var at = line.IndexOf("::=", StringComparison.Ordinal);
        return at >= 0 && !line.AsSpan(0, at).ContainsAny('"', '\'', '/');
    }
}
