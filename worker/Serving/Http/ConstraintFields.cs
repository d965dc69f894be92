using System.Text.Json;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

/// <summary>Reads what the output must look like: OpenAI's <c>response_format</c>, vLLM's <c>structured_outputs</c> and its older
/// <c>guided_…</c> fields. Called by <see cref="SamplingFields"/>.</summary>
internal static class ConstraintFields
{
    private const string Known = "choice, regex, json, json_object, grammar";

    /// <exception cref="ApiException">A field is malformed, or more than one constrains the output.</exception>
    public static Constraint? Read(RequestFields fields)
    {
        var found = new List<(string Field, Constraint Constraint)>();
        Add(found, "response_format", ResponseFormat(fields));
        Add(found, "guided_json",
            fields.Element("guided_json") is { } schema ? new Constraint.JsonSchema(Schema("guided_json", schema)) : null);
        Add(found, "guided_regex", fields.String("guided_regex") is { } pattern ? new Constraint.Regex(pattern) : null);
        Add(found, "guided_choice",
            fields.Element("guided_choice") is { } choices ? new Constraint.Choice(Choices("guided_choice", choices)) : null);
        Add(found, "guided_grammar", fields.String("guided_grammar") is { } grammar ? new Constraint.Grammar(grammar) : null);
        Add(found, "structured_outputs", StructuredOutputs(fields));
        return found.Count switch
        {
            0 => null,
            1 => found[0].Constraint,
            _ => throw ApiException.BadRequest(
                $"'{found[1].Field}' cannot be combined with '{found[0].Field}': both say what the output must look like", found[1].Field),
        };
    }

    private static void Add(List<(string Field, Constraint Constraint)> found, string field, Constraint? constraint)
    {
        if (constraint is not null)
        {
            found.Add((field, constraint));
        }
    }

    private static Constraint? ResponseFormat(RequestFields fields)
    {
        const string Name = "response_format";
        if (fields.Element(Name) is not { } format)
        {
            return null;
        }

        if (format.ValueKind == JsonValueKind.Object)
        {
            RequireKnown(Name, format, "type", "json_schema");
        }

        var type = format.ValueKind == JsonValueKind.Object
            && format.TryGetProperty("type", out var given)
            && given.ValueKind == JsonValueKind.String ? given.GetString() : null;
        switch (type)
        {
            case "text":
                return null;
            case "json_object":
                return new Constraint.JsonObject();
            case "json_schema":
                if (!format.TryGetProperty("json_schema", out var wrapper)
                    || wrapper.ValueKind != JsonValueKind.Object
                    || !wrapper.TryGetProperty("schema", out var schema))
                {
                    throw RequestFields.WrongType(
                        Name, format, "{\"type\": \"json_schema\", \"json_schema\": {\"name\": …, \"schema\": {…}}}");
                }

                // The output always keeps to the schema: there is nothing that 'strict' could change.
                RequireKnown($"{Name}.json_schema", wrapper, "name", "description", "schema", "strict");
                return new Constraint.JsonSchema(Schema("response_format.json_schema.schema", schema));
            default:
                throw RequestFields.WrongType(Name, format, "an object whose type is text, json_object or json_schema");
        }
    }

    private static Constraint? StructuredOutputs(RequestFields fields)
    {
        const string Name = "structured_outputs";
        if (fields.Element(Name) is not { } options)
        {
            return null;
        }

        if (options.ValueKind != JsonValueKind.Object)
        {
            throw RequestFields.WrongType(Name, options, $"an object with one of {Known}");
        }

        var found = new List<(string Field, Constraint Constraint)>();
        foreach (var option in options.EnumerateObject().Where(option => option.Value.ValueKind != JsonValueKind.Null))
        {
            var path = $"{Name}.{option.Name}";
            Add(found, path, option.Name switch
            {
                "choice" => new Constraint.Choice(Choices(path, option.Value)),
                "regex" when option.Value.ValueKind == JsonValueKind.String => new Constraint.Regex(RequestFields.Text(option.Value, path)),
                "grammar" when option.Value.ValueKind == JsonValueKind.String =>
                    new Constraint.Grammar(RequestFields.Text(option.Value, path)),
                "json" => new Constraint.JsonSchema(Schema(path, option.Value)),
                "json_object" when option.Value.ValueKind == JsonValueKind.True => new Constraint.JsonObject(),
                "json_object" when option.Value.ValueKind == JsonValueKind.False => null,
                _ => throw ApiException.BadRequest($"'{path}' is not supported or has the wrong type; known are {Known}", Name),
            });
        }

        return found.Count > 1
            ? throw ApiException.BadRequest(
                $"'{found[1].Field}' cannot be combined with '{found[0].Field}': both say what the output must look like", Name)
            : found.Count == 1 ? found[0].Constraint : null;
    }

    private static void RequireKnown(string name, JsonElement value, params ReadOnlySpan<string> known)
    {
        foreach (var member in value.EnumerateObject())
        {
            if (!known.Contains(member.Name))
            {
                throw ApiException.BadRequest($"unrecognized member '{name}.{member.Name}'; known are {string.Join(", ", known)}", name);
            }
        }
    }

    /// <summary>A schema given as JSON, or as a string that holds it.</summary>
    private static string Schema(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => RequestFields.Text(value, name),
        JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        _ => throw RequestFields.WrongType(name, value, "a JSON schema"),
    };

    private static string[] Choices(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(item => RequestFields.Text(item, name))]
            : throw RequestFields.WrongType(name, value, "an array of strings");
}
