using System.Numerics;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Arrays of a schema: items, tuples, lengths, <c>uniqueItems</c>. Called by <see cref="JsonSchemaBuilder"/>.</summary>
internal sealed class ArraySchema(JsonSchema document, AutomatonBuilder builder, JsonGrammar grammar, JsonSchemaBuilder schemas)
{
    /// <summary>Values that unique items may take in any order; more of them come in the schema's.</summary>
    private const int MaxSubsetValues = 8;

    private const int MaxUniqueValues = 64;

    public void Lay(JsonObject schema, int from, int to)
    {
        var min = document.Count(schema, "minItems", ConstraintLimits.MaxRepeats) ?? 0;
        var max = document.Count(schema, "maxItems", ConstraintLimits.MaxRepeats);
        if (max < min)
        {
            throw document.Refuse($"keyword 'minItems' is {min}, above 'maxItems', which is {max}", schema, "minItems");
        }

        // Draft 7 writes a tuple as 'items' and what follows it as 'additionalItems'.
        var isTuple = schema["items"] is JsonArray;
        var prefix = document.Array(schema, isTuple ? "items" : "prefixItems", ConstraintLimits.MaxRepeats) ?? [];
        var hasItems = schema.TryGetPropertyValue(isTuple ? "additionalItems" : "items", out var items)
            || schema.TryGetPropertyValue("unevaluatedItems", out items);
        if (JsonSchema.IsFalse(items) || (!hasItems && prefix.Count > 0 && min <= prefix.Count))
        {
            max = Math.Min(max ?? int.MaxValue, prefix.Count);
        }

        if (JsonSchema.IsTrue(schema, "uniqueItems") && max is not (0 or 1))
        {
            Unique(schema, prefix, hasItems ? items : null, min, max, from, to);
            return;
        }

        var rest = new Lazy<int>(() => schemas.Later(hasItems ? items : JsonValue.Create(true)));
        grammar.Bracketed("[", "]", from, to, (start, end) =>
        {
            var separated = Math.Max(min, prefix.Count);
            for (var i = 0; ; i++)
            {
                if (i >= min)
                {
                    builder.Epsilon(start, end);
                }

                if (i == max)
                {
                    return;
                }

                var loops = max is null && i > separated;
                var item = i == 0 ? start : builder.Node();
                var next = loops ? start : builder.Node();
                if (i > 0)
                {
                    grammar.Comma(start, item);
                }

                if (i < prefix.Count)
                {
                    schemas.Value(prefix[i], item, next);
                }
                else
                {
                    builder.Call(rest.Value, item, next);
                }

                if (loops)
                {
                    return;
                }

                start = next;
            }
        });
    }

    /// <summary>Items of which none comes twice: an automaton can remember which of a few values came.</summary>
    private void Unique(JsonObject schema, JsonArray prefix, JsonNode? items, int min, int? max, int from, int to)
    {
        if (prefix.Count > 0 || items is null || schemas.FixedValues(items) is not { } values || values.Count > MaxUniqueValues)
        {
            throw document.Refuse(
                $"keyword 'uniqueItems' is supported where 'items' has at most {MaxUniqueValues} fixed values (enum, const, boolean), or "
                + "where 'maxItems' is 1: no automaton remembers any other items",
                schema, "uniqueItems");
        }

        if (values.Count < min)
        {
            throw document.Refuse($"keyword 'minItems' is {min}, but there are {values.Count} different items", schema, "minItems");
        }

        var most = Math.Min(max ?? values.Count, values.Count);
        grammar.Bracketed("[", "]", from, to, (start, end) =>
        {
            if (values.Count <= MaxSubsetValues)
            {
                Subsets(values, min, most, start, end);
            }
            else
            {
                InOrder(values, min, most, start, end);
            }
        });
    }

    private void Subsets(IReadOnlyList<string> values, int min, int max, int start, int end)
    {
        int[] nodes = [start, .. Enumerable.Range(1, (1 << values.Count) - 1).Select(_ => builder.Node())];
        for (var taken = 0; taken < nodes.Length; taken++)
        {
            var count = BitOperations.PopCount((uint)taken);
            if (count >= min && count <= max)
            {
                builder.Epsilon(nodes[taken], end);
            }

            var item = count == 0 ? start : builder.Node();
            if (count > 0 && count < max)
            {
                grammar.Comma(nodes[taken], item);
            }

            for (var value = 0; value < values.Count && count < max; value++)
            {
                if ((taken & (1 << value)) == 0)
                {
                    builder.Text(values[value], item, nodes[taken | (1 << value)]);
                }
            }
        }
    }

    private void InOrder(IReadOnlyList<string> values, int min, int max, int start, int end)
    {
        // after[i, n]: value i was the last of n items.
        var after = new int[values.Count, max + 1];
        for (var value = 0; value < values.Count; value++)
        {
            for (var count = 1; count <= Math.Min(max, value + 1); count++)
            {
                after[value, count] = builder.Node();
                if (count >= min)
                {
                    builder.Epsilon(after[value, count], end);
                }
            }
        }

        if (min == 0)
        {
            builder.Epsilon(start, end);
        }

        // choose[i, n]: one of the values from i on comes next, as item n + 1.
        var choose = new int[values.Count + 1, max + 1];
        for (var value = values.Count - 1; value >= 0; value--)
        {
            for (var count = 0; count < max; count++)
            {
                choose[value, count] = builder.Node();
                builder.Text(values[value], choose[value, count], count + 1 <= value + 1 ? after[value, count + 1] : builder.Node());
                if (value + 1 < values.Count)
                {
                    builder.Epsilon(choose[value, count], choose[value + 1, count]);
                }
            }
        }

        builder.Epsilon(start, choose[0, 0]);
        for (var value = 0; value + 1 < values.Count; value++)
        {
            for (var count = 1; count < max && count <= value + 1; count++)
            {
                grammar.Comma(after[value, count], choose[value + 1, count]);
            }
        }
    }
}
