using System.Text.Json;

namespace Cluster.Worker.Tokenization;

/// <summary>One JSON value of a tokenizer file together with where it stands (<c>pre_tokenizer.pretokenizers[0]</c>), so that every
/// reader of a part can say exactly what is wrong. Used by the part readers.</summary>
internal readonly struct JsonPart(string file, string path, JsonElement value)
{
    public string File { get; } = file;

    public string Path { get; } = path;

    public JsonElement Value { get; } = value;

    /// <summary>The part's <c>type</c>, which names the class that implements it.</summary>
    public string Type => RequiredString("type");

    public TokenizerFormatException Error(string problem, Exception? inner = null) =>
        new($"{File}: {(Path.Length == 0 ? "" : Path + ": ")}{problem}", inner);

    public TokenizerFormatException UnknownType(string supported) => Error($"unknown type '{Type}'; supported: {supported}");

    /// <summary>Whether the object has a member of this name, null or not.</summary>
    public bool Has(string name) => Find(name) is not null;

    public bool IsNull(string name) => Find(name) is not { } value || value.ValueKind == JsonValueKind.Null;

    public JsonPart? Optional(string name) =>
        Find(name) is { ValueKind: not JsonValueKind.Null } value ? new JsonPart(File, Child(name), value) : null;

    public JsonPart Required(string name) => Optional(name) ?? throw Error($"'{name}' is missing");

    public string? OptionalString(string name)
    {
        if (Optional(name) is not { } part)
        {
            return null;
        }
        return part.Text();
    }

    public string RequiredString(string name) => OptionalString(name) ?? throw Error($"'{name}' is missing");

    public bool Bool(string name, bool fallback) => Optional(name) is not { } part ? fallback : part.Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw part.Error($"is {part.Value.ValueKind}, expected true or false"),
    };

    public int RequiredInt(string name) => Required(name).Int();

    public int Int() => Value.ValueKind == JsonValueKind.Number && Value.TryGetInt32(out var number)
        ? number
        : throw Error($"is {Excerpt()}, expected an integer");

    /// <summary>The string itself. JSON can spell lone surrogates, which no token can hold.</summary>
    public string Text()
    {
        if (Value.ValueKind != JsonValueKind.String)
        {
            throw Error($"is {Value.ValueKind}, expected a string");
        }
        try
        {
            return Value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw Error("is not valid Unicode", e);
        }
    }

    public IEnumerable<JsonPart> Items()
    {
        if (Value.ValueKind != JsonValueKind.Array)
        {
            throw Error($"is {Value.ValueKind}, expected an array");
        }
        return Enumerate(this);

        static IEnumerable<JsonPart> Enumerate(JsonPart part)
        {
            var i = 0;
            foreach (var item in part.Value.EnumerateArray())
            {
                yield return new JsonPart(part.File, $"{part.Path}[{i++}]", item);
            }
        }
    }

    /// <summary>The name of one of the object's members.</summary>
    public string NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException e)
        {
            throw Error("a name is not valid Unicode", e);
        }
    }

    private JsonElement? Find(string name)
    {
        if (Value.ValueKind != JsonValueKind.Object)
        {
            throw Error($"is {Value.ValueKind}, expected an object");
        }
        try
        {
            return Value.TryGetProperty(name, out var value) ? value : null;
        }
        catch (InvalidOperationException e)
        {
            throw Error("a name is not valid Unicode", e);
        }
    }

    private string Child(string name) => Path.Length == 0 ? name : $"{Path}.{name}";

    private string Excerpt()
    {
        var raw = Value.GetRawText();
        return raw.Length <= 40 ? raw : raw[..40] + "…";
    }
}
