using System.Text.Json;

namespace Cluster.Worker.Serving.Http;

/// <summary>Reads a JSON request field by field: wrong types become errors that name field and value, and what nobody read is refused
/// (<see cref="RejectUnread"/>), so no field is ever silently ignored.</summary>
internal sealed class RequestFields : IDisposable
{
    /// <summary>Bodies of up to 1 MiB are read into pooled memory.</summary>
    private const int PooledBytes = 1 << 20;

    private static readonly JsonElement Empty = JsonElement.Parse("{}"u8);

    private readonly JsonElement _root;
    private readonly JsonDocument? _document;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    private RequestFields(JsonElement root, JsonDocument? document)
    {
        _root = root;
        _document = document;
    }

    /// <exception cref="JsonException">The body is not JSON.</exception>
    /// <exception cref="ApiException">It is not an object, or 415 when the request does not say that it is plain JSON.</exception>
    public static async Task<RequestFields> ReadAsync(
        HttpRequest request, CancellationToken cancellationToken, int maxDepth = ApiJson.MaxDepth)
    {
        RequireJson(request);
        return Of(await ParseAsync(request, maxDepth, cancellationToken));
    }

    /// <summary>The fields of a request that came some other way.</summary>
    /// <param name="document">Owned from then on.</param>
    /// <exception cref="ApiException">It is not an object.</exception>
    public static RequestFields Of(JsonDocument document)
    {
        var kind = document.RootElement.ValueKind;
        if (kind != JsonValueKind.Object)
        {
            document.Dispose();
            throw ApiException.BadRequest($"the request body must be a JSON object, not {Describe(kind)}");
        }

        try
        {
            UnicodeCheck.Require(document.RootElement);
        }
        catch
        {
            document.Dispose();
            throw;
        }

        return new RequestFields(document.RootElement, document);
    }

    /// <summary>The field's value; null when absent or JSON null.</summary>
    public JsonElement? Element(string name)
    {
        _read.Add(name);
        return _root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>The fields of an object inside this one, whose unread fields are its own to refuse; without any when it is absent. Lives as
    /// long as this.</summary>
    public RequestFields Nested(string name) =>
        Element(name) is not { } value ? new RequestFields(Empty, null)
        : value.ValueKind == JsonValueKind.Object ? new RequestFields(value, null)
        : throw WrongType(name, value, "an object");

    /// <summary>The fields of an object inside this one, which is of no use any more: what it holds belongs to them.</summary>
    /// <exception cref="ApiException">There is no such object.</exception>
    public RequestFields Inner(string name) =>
        Element(name) is { ValueKind: JsonValueKind.Object } value
            ? new RequestFields(value, _document)
            : throw ApiException.BadRequest($"'{name}' is required: a JSON object", name);

    /// <summary>The fields of an object in an array. Lives as long as this.</summary>
    public RequestFields Item(string name, int index) =>
        Element(name) is { ValueKind: JsonValueKind.Array } array && array[index] is { ValueKind: JsonValueKind.Object } value
            ? new RequestFields(value, null)
            : throw ApiException.BadRequest($"'{name}' must be an array of objects", name);

    public string? String(string name) =>
        Element(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? Text(value, name)
        : throw WrongType(name, value, "a string");

    public bool? Boolean(string name) =>
        Element(name) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw WrongType(name, value, "true or false");

    public int? Integer(string name) =>
        Element(name) is not { } value ? null
        : Whole(value) is { } number and >= int.MinValue and <= int.MaxValue ? (int)number
        : throw WrongType(name, value, "a 32-bit integer");

    public long? Long(string name) =>
        Element(name) is not { } value ? null
        : Whole(value) is { } number ? number
        : throw WrongType(name, value, "a 64-bit integer");

    public float? Number(string name)
    {
        if (Element(name) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number) && float.IsFinite(number)
            ? number
            : throw WrongType(name, value, "a finite number");
    }

    /// <summary>A string or an array of strings.</summary>
    public IReadOnlyList<string> Strings(string name)
    {
        if (Element(name) is not { } value)
        {
            return [];
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => [Text(value, name)],
            JsonValueKind.Array when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) =>
                [.. value.EnumerateArray().Select(item => Text(item, name))],
            _ => throw WrongType(name, value, "a string or an array of strings"),
        };
    }

    public IReadOnlyList<int> Integers(string name)
    {
        if (Element(name) is not { } value)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array ? TokenIds(name, value) : throw WrongType(name, value, "an array of integers");
    }

    /// <summary>An array's numbers as token ids.</summary>
    public static int[] TokenIds(string name, JsonElement array)
    {
        var ids = new int[array.GetArrayLength()];
        var i = 0;
        foreach (var item in array.EnumerateArray())
        {
            ids[i++] = item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var id)
                ? id
                : throw WrongType(name, array, "an array of integers");
        }

        return ids;
    }

    /// <summary>Accepts a field that has no influence here (<c>user</c>, <c>store</c>, …) whatever its value.</summary>
    public void Accept(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            _read.Add(name);
        }
    }

    /// <summary>Refuses a field this server knows but cannot honour, unless it has the value that changes nothing.</summary>
    public void Refuse(string name, string reason, Func<JsonElement, bool>? isNeutral = null)
    {
        if (Element(name) is { } value && isNeutral?.Invoke(value) != true)
        {
            throw ApiException.BadRequest($"'{name}' is not supported: {reason}", name);
        }
    }

    /// <summary>A field that is null is as good as absent, here too.</summary>
    /// <exception cref="ApiException">A field is left that nothing read.</exception>
    public void RejectUnread()
    {
        foreach (var property in _root.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Null && !_read.Contains(property.Name))
            {
                throw ApiException.BadRequest($"unrecognized request argument supplied: {property.Name}", property.Name);
            }
        }
    }

    /// <exception cref="ApiException">The value has the wrong type.</exception>
    public static ApiException WrongType(string name, JsonElement value, string expected)
    {
        var text = value.GetRawText();
        return ApiException.BadRequest($"invalid value for '{name}': expected {expected}, got {Shorten(text)}", name);
    }

    public void Dispose() => _document?.Dispose();

    /// <summary>A JSON string may hold an unpaired surrogate (<c>"\ud800"</c>) which no text can.</summary>
    public static string Text(JsonElement value, string name)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw ApiException.BadRequest($"'{name}' is not valid Unicode text", name);
        }
    }

    private static async Task<JsonDocument> ParseAsync(HttpRequest request, int maxDepth, CancellationToken cancellationToken)
    {
        var options = new JsonDocumentOptions { MaxDepth = maxDepth, AllowDuplicateProperties = false };
        try
        {
            if (request.ContentLength <= PooledBytes)
            {
                return await JsonDocument.ParseAsync(request.Body, options, cancellationToken);
            }

            // The parser would take its memory from a pool, which keeps it for the next large body.
            var body = new MemoryStream();
            await request.Body.CopyToAsync(body, cancellationToken);
            return JsonDocument.Parse(body.GetBuffer().AsMemory(0, (int)body.Length), options);
        }
        catch (InvalidOperationException)
        {
            // Names are compared as the document is read, and one of them is no text.
            throw ApiException.BadRequest("a name in the request body is not valid Unicode text");
        }
    }

    /// <summary>A browser lets any page post text or a form anywhere, also to a server on its own machine, without asking that server
    /// first. JSON it asks for.</summary>
    private static void RequireJson(HttpRequest request)
    {
        if (!request.HasJsonContentType())
        {
            var given = request.ContentType is { Length: > 0 } type ? $"'{Shorten(type)}'" : "missing";
            throw ApiException.UnsupportedMediaType($"the header Content-Type is {given}; it must be application/json");
        }

        if (request.Headers.ContentEncoding.ToString() is { Length: > 0 } encoding
            && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
        {
            throw ApiException.UnsupportedMediaType(
                $"the header Content-Encoding is '{Shorten(encoding)}'; this server does not take compressed bodies");
        }
    }

    /// <summary>A whole number, which some languages write as 3.0; null when it is none or needs more than 64 bits.</summary>
    private static long? Whole(JsonElement value) =>
        value.ValueKind != JsonValueKind.Number ? null
        : value.TryGetInt64(out var number) ? number
        : value.TryGetDecimal(out var exact) && decimal.IsInteger(exact) && exact is >= long.MinValue and <= long.MaxValue ? (long)exact
        : null;

    private static string Shorten(string text) => text.Length > 80 ? text[..80] + "…" : text;

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        _ => kind.ToString().ToLowerInvariant(),
    };
}
