using System.Collections.Immutable;
using System.Text.Json;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>A JSON object of a model's configuration, read field by field with the checks each field needs. A null field counts as missing,
/// as in Hugging Face transformers. Used by <see cref="ModelConfig"/>, <see cref="RopeParameters"/> and the architectures.</summary>
internal sealed class ConfigObject
{
    private readonly string _path;
    private readonly JsonElement _element;
    private readonly ImmutableDictionary<string, string> _aliases;
    private readonly (ConfigObject Other, ImmutableArray<string> Fields)? _fallback;

    private ConfigObject(
        string file, string path, JsonElement element, ImmutableDictionary<string, string>? aliases = null,
        (ConfigObject Other, ImmutableArray<string> Fields)? fallback = null)
    {
        _aliases = aliases ?? ImmutableDictionary<string, string>.Empty;
        _fallback = fallback;
        File = file;
        _path = path;
        _element = element;
    }

    /// <summary>Path of the file, for messages.</summary>
    public string File { get; }

    /// <exception cref="ModelConfigException">The file is missing, or not a JSON object.</exception>
    /// <exception cref="RefusedFileException">It is no regular file, or too large.</exception>
    public static ConfigObject Load(string file)
    {
        if (!RegularFile.IsThere(file))
        {
            throw new ModelConfigException(file, "does not exist");
        }

        return Parse(file, RegularFile.ReadBytes(file, FileKind.ModelConfig));
    }

    /// <param name="file">Path, for messages.</param>
    /// <param name="json">UTF-8 text of one object.</param>
    /// <exception cref="ModelConfigException">Not a JSON object.</exception>
    public static ConfigObject Parse(string file, ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new ConfigObject(file, "", document.RootElement.Clone())
                : throw new ModelConfigException(file, $"must hold an object, not {Kind(document.RootElement)}");
        }
        catch (JsonException e)
        {
            throw new ModelConfigException(file, $"is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>The same object, where a missing field is looked up by another name: the <c>attribute_map</c> of a configuration in
    /// transformers.</summary>
    public ConfigObject WithAliases(params ReadOnlySpan<(string Name, string Alias)> names)
    {
        var more = _aliases;
        foreach (var (name, alias) in names)
        {
            more = more.SetItem(name, alias);
        }

        return new ConfigObject(File, _path, _element, more, _fallback);
    }

    /// <summary>The same object, where a missing field is looked up in another one: what a nested configuration inherits, or what
    /// transformers assumes.</summary>
    /// <param name="fields">The fields that may be; none means all.</param>
    public ConfigObject Or(ConfigObject other, params ImmutableArray<string> fields) =>
        new(File, _path, _element, _aliases, (other, fields));

    /// <summary>Refuses a switch that is not in the one position that is supported.</summary>
    /// <param name="fallback">What transformers assumes when the field is missing.</param>
    /// <exception cref="ModelConfigException">It is in the other one.</exception>
    public void Require(string name, bool supported, bool fallback)
    {
        if (Boolean(name, fallback) != supported)
        {
            throw Invalid(name, $"is {(supported ? "false" : "true")}; only {(supported ? "true" : "false")} is supported");
        }
    }

    /// <summary>Refuses a word that is none of those supported; a missing field is right.</summary>
    /// <exception cref="ModelConfigException">It is another.</exception>
    public void RequireOneOf(string name, params ReadOnlySpan<string> supported)
    {
        if (OptionalString(name) is { } value && !supported.Contains(value))
        {
            throw Invalid(name, $"is '{value}'; supported: {string.Join(", ", supported)}");
        }
    }

    public bool Has(string name) => Find(name) is not null;

    public bool IsString(string name) => Find(name) is { ValueKind: JsonValueKind.String };

    public bool IsEmpty => !_element.EnumerateObject().Any();

    /// <summary>A whole number that must be there.</summary>
    public int Integer(string name, int min, int max) => OptionalInteger(name, min, max) ?? throw Missing(name);

    /// <summary>Null when missing.</summary>
    public int? OptionalInteger(string name, int min, int max)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out var number))
        {
            throw Wrong(name, value, "a whole number");
        }

        return number >= min && number <= max ? (int)number : throw Wrong(name, value, $"{min} to {max}");
    }

    /// <summary>A number within [min, max]; null when missing.</summary>
    public double? OptionalNumber(string name, double min, double max)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.GetDouble() is var number && number >= min && number <= max
            ? number
            : throw Wrong(name, value, FormattableString.Invariant($"a number from {min} to {max}"));
    }

    /// <summary>A number within (0, max]; null when missing.</summary>
    public double? OptionalPositive(string name, double max)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Number)
        {
            throw Wrong(name, value, "a number");
        }

        var number = value.GetDouble();
        return number > 0 && number <= max ? number : throw Wrong(name, value, $"above 0 and at most {max}");
    }

    /// <summary>A number within (0, max] that must be there.</summary>
    public double Positive(string name, double max) => OptionalPositive(name, max) ?? throw Missing(name);

    public bool Boolean(string name, bool fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Wrong(name, value, "true or false"),
    };

    /// <summary>The same where checkpoints also write a number, of which 0 is false: what Python makes of it.</summary>
    public bool Truth(string name, bool fallback) => Find(name) is { ValueKind: JsonValueKind.Number } number
        ? number.GetDouble() != 0
        : Boolean(name, fallback);

    /// <summary>Null when missing.</summary>
    public string? OptionalString(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => Text(name, value),
        { } value => throw Wrong(name, value, "a string"),
    };

    /// <summary>Strings of a list; empty when missing.</summary>
    public ImmutableArray<string> Strings(string name)
    {
        if (Find(name) is not { } value)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(item => Text(name, item))]
            : throw Wrong(name, value, "a list of strings");
    }

    /// <summary>Token ids, written as one number or a list of them; empty when missing. A negative one is no token's and left out: that is
    /// how some checkpoints say that there is none, and what transformers takes.</summary>
    public ImmutableArray<int> TokenIds(string name)
    {
        if (Find(name) is not { } value)
        {
            return [];
        }

        var items = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value];
        var ids = ImmutableArray.CreateBuilder<int>(items.Length);
        foreach (var item in items)
        {
            var id = item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var number)
                ? number
                : throw Wrong(name, value, "a token id or a list of token ids (whole numbers)");
            if (id >= 0)
            {
                ids.Add(id);
            }
        }

        return ids.ToImmutable();
    }

    /// <summary>Whole numbers of a list; empty when missing.</summary>
    public ImmutableArray<int> Integers(string name, int min, int max)
    {
        if (Find(name) is not { } value)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().All(
                item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var number) && number >= min && number <= max)
            ? [.. value.EnumerateArray().Select(item => item.GetInt32())]
            : throw Wrong(name, value, $"a list of whole numbers from {min} to {max}");
    }

    /// <summary>Numbers of a list, above 0; empty when missing.</summary>
    public ImmutableArray<double> Positives(string name)
    {
        if (Find(name) is not { } value)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.GetDouble() > 0)
            ? [.. value.EnumerateArray().Select(item => item.GetDouble())]
            : throw Wrong(name, value, "a list of numbers above 0");
    }

    /// <summary>One switch for each layer, as 0 and 1 or false and true; empty when missing, or when the list is.</summary>
    public ImmutableArray<bool> Switches(string name, int numLayers)
    {
        if (Find(name) is not { } value)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array && (value.GetArrayLength() == numLayers || value.GetArrayLength() == 0)
            && value.EnumerateArray().All(item => Switch(item) is not null)
            ? [.. value.EnumerateArray().Select(item => Switch(item) == true)]
            : throw Wrong(name, value, $"a list of {numLayers} switches, 0 or 1");
    }

    /// <summary>Numbers of layers; empty when missing.</summary>
    public ImmutableArray<int> Layers(string name, int numLayers)
    {
        if (Find(name) is not { } value)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => IsLayer(item, numLayers))
            ? [.. value.EnumerateArray().Select(item => item.GetInt32())]
            : throw Wrong(name, value, $"a list of layers from 0 to {numLayers - 1}");
    }

    /// <summary>Null when missing.</summary>
    public ConfigObject? OptionalObject(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new ConfigObject(File, Name(name) + ".", value),
        { } value => throw Wrong(name, value, "an object"),
    };

    /// <summary>Of all fields, in their order.</summary>
    public IEnumerable<string> Names => _element.EnumerateObject().Select(NameOf);

    /// <summary>For fields that are one value for all layers, or a list with a value for each.</summary>
    public bool IsList(string name) => Find(name) is { ValueKind: JsonValueKind.Array };

    /// <summary>All fields that are objects, for objects used as dictionaries.</summary>
    public IEnumerable<ConfigObject> Objects() =>
        _element.EnumerateObject().Where(field => field.Value.ValueKind == JsonValueKind.Object)
            .Select(field => new ConfigObject(File, Name(NameOf(field)) + ".", field.Value));

    /// <summary>An error about a field's value, for checks that concern more than one field.</summary>
    public ModelConfigException Invalid(string name, string reason) => new(File, $"'{Name(name)}' {reason}");

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        JsonValueKind.Object => "an object",
        _ => "a boolean",
    };

    private static bool? Switch(JsonElement item) => item.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number when item.TryGetInt32(out var number) && number is 0 or 1 => number == 1,
        _ => null,
    };

    private static bool IsLayer(JsonElement item, int numLayers) =>
        item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var layer) && layer >= 0 && layer < numLayers;

    private JsonElement? Find(string name) => Property(Spelling(name)) ?? Inherited(name);

    private JsonElement? Inherited(string name) =>
        _fallback is { } fallback && (fallback.Fields.IsEmpty || fallback.Fields.Contains(name)) ? fallback.Other.Find(name) : null;

    private JsonElement? Property(string name)
    {
        try
        {
            return _element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
        }
        catch (InvalidOperationException e)
        {
            throw NotUnicode(_path.Length == 0 ? "a name" : $"a name in '{_path.TrimEnd('.')}'", e);
        }
    }

    private string NameOf(JsonProperty field)
    {
        try
        {
            return field.Name;
        }
        catch (InvalidOperationException e)
        {
            throw NotUnicode(_path.Length == 0 ? "a name" : $"a name in '{_path.TrimEnd('.')}'", e);
        }
    }

    // JSON can spell unpaired surrogates, which the parser lets pass and no string can hold.
    private string Text(string name, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw NotUnicode($"'{Name(name)}'", e);
        }
    }

    private ModelConfigException NotUnicode(string what, Exception inner) => new(File, $"{what} is not valid Unicode", inner);

    private string Name(string name) => _path + Spelling(name);

    /// <summary>The alias if the file has that and not the name itself.</summary>
    private string Spelling(string name) =>
        Property(name) is null && _aliases.TryGetValue(name, out var alias) && Property(alias) is not null ? alias : name;

    private ModelConfigException Missing(string name) => new(File, $"'{Name(name)}' is missing");

    private ModelConfigException Wrong(string name, JsonElement value, string expected)
    {
        const int Shown = 60;
        // Not as the library's text, which throws where bytes are no UTF-8.
        var raw = System.Text.Encoding.UTF8.GetString(System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(value));
        return new ModelConfigException(File, $"'{Name(name)}' is {(raw.Length > Shown ? raw[..Shown] + "…" : raw)}; expected {expected}");
    }
}
