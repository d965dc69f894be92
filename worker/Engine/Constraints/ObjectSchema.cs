using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Objects of a schema: properties in the schema's order, then others by their names, and how many of them. Called by
/// <see cref="JsonSchemaBuilder"/>.</summary>
internal sealed class ObjectSchema(
    JsonSchema document, AutomatonBuilder builder, JsonGrammar grammar, JsonSchemaBuilder schemas, StringSchema strings)
{
    /// <summary>Places in the automaton of one object whose members are counted.</summary>
    private const int MaxCountedPlaces = 20_000;

    public void Lay(JsonObject schema, int from, int to)
    {
        var names = new PropertyRules(document, schemas, strings, schema);
        var properties = names.Named();
        var min = document.Count(schema, "minProperties", ConstraintLimits.MaxProperties) ?? 0;
        var max = document.Count(schema, "maxProperties", ConstraintLimits.MaxProperties);
        if (max < min)
        {
            throw document.Refuse($"keyword 'minProperties' is {min}, above 'maxProperties', which is {max}", schema, "minProperties");
        }

        if (properties.Count == 0 && names.SaysNothingOfOthers && min == 0 && max is null)
        {
            grammar.AnyObject(from, to);
            return;
        }

        var others = names.Others(properties, mayBeAny: properties.Count == 0 || min > properties.Count);
        if (properties.Count + (others.Count > 0 ? 1 : 0) < min)
        {
            throw document.Refuse(
                $"keyword 'minProperties' is {min}, but the schema names {properties.Count} properties"
                + (others.Count > 0 ? ", and no automaton can tell that further names differ from each other" : ""),
                schema, "minProperties");
        }

        if (max < properties.Count(property => property.IsRequired))
        {
            throw document.Refuse($"keyword 'maxProperties' is {max}, but more are required", schema, "maxProperties");
        }

        if (max == 0)
        {
            grammar.Bracketed("{", "}", from, to, builder.Epsilon);
            return;
        }

        grammar.Bracketed("{", "}", from, to, (start, end) => Members(schema, properties, others, min, max, start, end));
    }

    /// <summary>Place n is where n members were written, the last one where it does not matter any more how many; a comma comes first in
    /// all but the first.</summary>
    private void Members(
        JsonObject schema, IReadOnlyList<NamedProperty> properties, IReadOnlyList<OtherProperties> others, int min, int? max, int start,
        int end)
    {
        var last = Math.Max(1, max ?? min);
        if ((long)last * (properties.Count + 1) > MaxCountedPlaces)
        {
            throw document.Refuse(
                $"keyword '{(max is null ? "minProperties" : "maxProperties")}' is {last} for {properties.Count} properties, more than can "
                + "be counted", schema, max is null ? "minProperties" : "maxProperties");
        }

        int[] places = [start, .. Enumerable.Range(1, last).Select(_ => builder.Node())];
        foreach (var property in properties)
        {
            int[] next = [.. places.Select(_ => builder.Node())];
            var member = last == 1 && max is null ? (Action<int, int>)((from, to) => Named(property, from, to)) : Called(property);
            Advance(places, next, max, member);
            for (var place = 0; place <= last && !property.IsRequired; place++)
            {
                builder.Epsilon(places[place], next[place]);
            }

            places = next;
        }

        for (var place = min; place <= last; place++)
        {
            builder.Epsilon(places[place], end);
        }

        if (others.Count > 0)
        {
            Others(places, others, min, max, end);
        }
    }

    /// <summary>Leads from each place to the next, by a member.</summary>
    private void Advance(int[] places, int[] next, int? max, Action<int, int> member)
    {
        var last = places.Length - 1;
        if (last == 1 && max is null)
        {
            var key = builder.Node();
            builder.Epsilon(places[0], key);
            grammar.Comma(places[1], key);
            member(key, next[1]);
            return;
        }

        for (var place = 0; place <= last; place++)
        {
            if (place == last && max is not null)
            {
                return;
            }

            var key = place == 0 ? places[0] : builder.Node();
            if (place > 0)
            {
                grammar.Comma(places[place], key);
            }

            member(key, next[Math.Min(place + 1, last)]);
        }
    }

    /// <summary>Further members. Their names may repeat, so of all of them only the first counts to the least number.</summary>
    private void Others(int[] places, IReadOnlyList<OtherProperties> others, int min, int? max, int end)
    {
        var rule = builder.AddRule();
        var own = builder.Rule(rule);
        foreach (var other in others)
        {
            Member(
                (from, to) => grammar.Quoted(
                    from, to, (start, finish) => other.Names.Lay(builder, grammar.NameCharacter, start, finish)),
                (from, to) => builder.Call(schemas.Later(other.Schema), from, to), own.Start, own.End);
        }

        var last = places.Length - 1;
        if (max is null)
        {
            // Two loops: one where enough was written without others, and one behind it.
            var key = builder.Node();
            var written = builder.Node();
            for (var place = Math.Max(0, min - 1); place <= last; place++)
            {
                if (place == 0)
                {
                    builder.Epsilon(places[0], key);
                }
                else
                {
                    grammar.Comma(places[place], key);
                }
            }

            builder.Call(rule, key, written);
            grammar.Comma(written, key);
            builder.Epsilon(written, end);
            return;
        }

        int[] behind = [.. places.Select(_ => builder.Node())];
        for (var place = Math.Max(0, min - 1); place < last; place++)
        {
            var key = place == 0 ? places[0] : builder.Node();
            if (place > 0)
            {
                grammar.Comma(places[place], key);
            }

            builder.Call(rule, key, behind[place + 1]);
        }

        for (var place = 1; place <= last; place++)
        {
            builder.Epsilon(behind[place], end);
            if (place < last)
            {
                var key = builder.Node();
                grammar.Comma(behind[place], key);
                builder.Call(rule, key, behind[place + 1]);
            }
        }
    }

    private Action<int, int> Called(NamedProperty property)
    {
        var rule = builder.AddRule();
        Named(property, builder.Rule(rule).Start, builder.Rule(rule).End);
        return (from, to) => builder.Call(rule, from, to);
    }

    private void Named(NamedProperty property, int from, int to) => Member(
        (start, end) => builder.Text(JsonSchemaBuilder.Spell(JsonValue.Create(property.Name)), start, end),
        (start, end) => schemas.Value(property.Schema, start, end), from, to);

    private void Member(Action<int, int> name, Action<int, int> value, int from, int to)
    {
        var colon = builder.Node();
        var start = builder.Node();
        name(from, colon);
        grammar.Colon(colon, start);
        value(start, to);
    }
}
