using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Gateway.Admission;

/// <summary>Reads the file of API keys:
/// <code>
/// keys:
/// - key: sk-…                  # or keySha256: 64 hexadecimal digits
///   name: team-a               # in metrics and logs
///   models: [haiku]            # default: all
///   requestsPerMinute: 60      # default: any number
///   tokensPerMinute: 100000    # of prompts and answers; default: any number
///   page: true                 # may open the page, which shows everybody's requests; default: false
/// </code></summary>
internal static class ApiKeyFile
{
    private const int MostKeyLength = 1024;
    private const int MostNameLength = 63;
    private const int DigestDigits = 64;

    private static readonly FileKind Kind = new("a list of API keys", 16 << 20);

    private static readonly HashSet<string> Members =
        new(StringComparer.Ordinal) { "key", "keySha256", "name", "models", "requestsPerMinute", "tokensPerMinute", "page" };

    /// <exception cref="FormatException">It is no list of keys; the message names the place, never a key.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyList<ApiKeyEntry> Read(string path) => Parse(Encoding.UTF8.GetString(RegularFile.ReadBytes(path, Kind)), path);

    /// <inheritdoc cref="Read"/>
    public static IReadOnlyList<ApiKeyEntry> Parse(string text, string file)
    {
        JsonNode? root;
        try
        {
            root = YamlJson.Parse(text, file);
        }
        catch (YamlSyntaxException wrong)
        {
            throw new FormatException(wrong.Message, wrong);
        }

        if (root is not JsonObject { Count: 1 } document || document["keys"] is not JsonArray list)
        {
            throw new FormatException($"{file}: expected one member, 'keys', with a list of keys");
        }

        List<ApiKeyEntry> keys = [.. list.Select((item, index) => Entry(item, $"{file}: keys[{index}]"))];
        if (keys.GroupBy(key => key.Name, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            throw new FormatException($"{file}: the name '{twice.Key}' is given to several keys; their accounts would be one");
        }

        return keys;
    }

    private static ApiKeyEntry Entry(JsonNode? item, string place)
    {
        if (item is not JsonObject entry)
        {
            throw new FormatException($"{place}: expected a mapping with 'key' and 'name'");
        }

        if (entry.Select(member => member.Key).FirstOrDefault(name => !Members.Contains(name)) is { } unknown)
        {
            throw new FormatException(
                $"{place}: '{unknown}' is unknown; there are {string.Join(", ", Members.Order(StringComparer.Ordinal))}");
        }

        var name = Text(entry, "name", place) ?? throw new FormatException($"{place}: 'name' is missing");
        if (name.Length > MostNameLength || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            throw new FormatException($"{place}: the name '{name}' must be 1 to {MostNameLength} letters, digits, '-', '_' or '.'");
        }

        return new ApiKeyEntry(
            name, Digest(entry, place), Models(entry, place), Limit(entry, "requestsPerMinute", place),
            Limit(entry, "tokensPerMinute", place),
            OpensPage(entry, place));
    }

    private static byte[] Digest(JsonObject entry, string place)
    {
        switch (Text(entry, "key", place), Text(entry, "keySha256", place))
        {
            case ({ } key, null):
                return key.Length <= MostKeyLength && key.All(c => c is > ' ' and <= '~')
                    ? SHA256.HashData(Encoding.ASCII.GetBytes(key))
                    : throw new FormatException($"{place}: 'key' must be 1 to {MostKeyLength} visible ASCII characters without spaces");
            case (null, { } digest):
                return digest.Length == DigestDigits && digest.All(char.IsAsciiHexDigit)
                    ? Convert.FromHexString(digest)
                    : throw new FormatException($"{place}: 'keySha256' must be {DigestDigits} hexadecimal digits (sha256sum)");
            default:
                throw new FormatException($"{place}: one of 'key' and 'keySha256' is needed");
        }
    }

    private static HashSet<string>? Models(JsonObject entry, string place) => entry["models"] switch
    {
        null => null,
        JsonArray list when list.All(item => item is JsonValue value && value.TryGetValue(out string? _)) =>
            new HashSet<string>(list.Select(item => (string)item!), StringComparer.Ordinal),
        _ => throw new FormatException($"{place}: 'models' must be a list of names"),
    };

    private static bool OpensPage(JsonObject entry, string place) => entry["page"] switch
    {
        null => false,
        JsonValue value when value.TryGetValue(out bool answer) => answer,
        _ => throw new FormatException($"{place}: 'page' must be true or false"),
    };

    private static int? Limit(JsonObject entry, string name, string place) => entry[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out long number) && number is > 0 and <= int.MaxValue => (int)number,
        JsonValue value when value.TryGetValue(out int number) && number > 0 => number,
        _ => throw new FormatException($"{place}: '{name}' must be a whole number above 0"),
    };

    private static string? Text(JsonObject entry, string name, string place) => entry[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) && text.Length > 0 => text,
        _ => throw new FormatException($"{place}: '{name}' must be a non-empty string"),
    };
}
