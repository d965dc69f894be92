using Cluster.Worker.Engine.Constraints.Grammars;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Compiles the constraints of one engine's requests and remembers the latest. Called by <see cref="LlmEngine"/> on the callers'
/// threads.</summary>
/// <param name="vocabSize">Of the logits.</param>
/// <param name="eosTokenIds">What may end an output.</param>
internal sealed class ConstraintCompiler(ITokenizer tokenizer, int vocabSize, int[] eosTokenIds)
{
    private readonly Lazy<TokenTrie> _trie = new(() => new TokenTrie(tokenizer, vocabSize, eosTokenIds));
    private readonly Dictionary<(string Kind, string Text), LinkedListNode<(
        (string Kind, string Text) Key, CompiledConstraint Constraint)>> _known = [];
    private readonly LinkedList<((string Kind, string Text) Key, CompiledConstraint Constraint)> _byUse = [];
    private readonly Lock _gate = new();

    /// <exception cref="InvalidRequestException">The constraint is malformed, too large, or asks for something that is not
    /// supported.</exception>
    public CompiledConstraint Compile(Constraint constraint)
    {
        if (eosTokenIds.Length == 0)
        {
            throw new InvalidRequestException(
                $"{constraint.Parameter} cannot be used: the model names no end-of-sequence token, which alone can end such an output",
                constraint.Parameter);
        }

        if (constraint.Text.Length > ConstraintLimits.MaxTextLength)
        {
            throw new InvalidRequestException(
                $"{constraint.Parameter} has {constraint.Text.Length} characters; at most {ConstraintLimits.MaxTextLength} are supported",
                constraint.Parameter);
        }

        var key = (constraint.Parameter, constraint.Text);
        lock (_gate)
        {
            if (_known.TryGetValue(key, out var found))
            {
                _byUse.Remove(found);
                _byUse.AddFirst(found);
                return found.Value.Constraint;
            }
        }

        var compiled = Attach(constraint, Build(constraint));
        lock (_gate)
        {
            if (_known.TryGetValue(key, out var found))
            {
                return found.Value.Constraint;
            }

            _known.Add(key, _byUse.AddFirst((key, compiled)));
            if (_known.Count > ConstraintLimits.MaxConstraints)
            {
                _known.Remove(_byUse.Last!.Value.Key);
                _byUse.RemoveLast();
            }
        }

        return compiled;
    }

    /// <exception cref="InvalidRequestException">As <see cref="Compile"/>.</exception>
    public static Automaton Build(Constraint constraint)
    {
        var builder = new AutomatonBuilder(constraint.Parameter)
        {
            MaxDepth = constraint is Constraint.Grammar ? ConstraintLimits.MaxGrammarDepth : ConstraintLimits.MaxDepth,
        };
        switch (constraint)
        {
            case Constraint.Choice choice:
                Lay(choice, builder);
                break;
            case Constraint.Regex regex:
                var root = builder.Rule(builder.AddRule());
                new RegexBuilder(builder, builder.Runes)
                    .Whole(RegexParser.Parse(regex.Pattern, constraint.Parameter), root.Start, root.End);
                break;
            case Constraint.Grammar grammar:
                GrammarBuilder.Lay(grammar.Definition, builder);
                break;
            case Constraint.JsonObject:
                var whole = builder.Rule(builder.AddRule());
                new JsonGrammar(builder).AnyObject(whole.Start, whole.End);
                break;
            case Constraint.JsonSchema schema:
                JsonSchemaBuilder.Lay(schema.Schema, builder);
                break;
        }

        return builder.Build();
    }

    private static void Lay(Constraint.Choice choice, AutomatonBuilder builder)
    {
        if (choice.Choices.Count is 0 or > ConstraintLimits.MaxAlternatives)
        {
            throw builder.Refuse($"has {choice.Choices.Count} texts; 1 to {ConstraintLimits.MaxAlternatives} are supported");
        }

        var rule = builder.Rule(builder.AddRule());
        builder.Texts(choice.Choices, rule.Start, rule.End);
    }

    /// <summary>The first mask is computed at once, so that what cannot work at all is the sender's error and not a failure in the
    /// middle.</summary>
    private CompiledConstraint Attach(Constraint constraint, Automaton automaton)
    {
        try
        {
            var compiled = new CompiledConstraint(automaton, _trie.Value);
            compiled.Mask(compiled.Start);
            return compiled;
        }
        catch (GenerationFailedException failure)
        {
            throw new InvalidRequestException($"{constraint.Parameter} cannot be used: {failure.Message}", constraint.Parameter);
        }
    }
}
