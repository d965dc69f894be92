using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Cluster.Fuzz.Targets.Operator;

/// <summary>Patches of all four kinds at an object of the local API server, each at a new one. The input is a line with PATCH, the plural
/// (and subresource) and the content type, an empty line, and the patch, in which NAME is the object's name.</summary>
internal sealed class ApiPatchTarget(string name) : IFuzzTarget
{
    private static readonly string[] Words =
    [
        "{\"$patch\": \"delete\"}", "{\"$patch\": \"replace\"}", "\"$retainKeys\"", "\"$setElementOrder/containers\"",
        "\"/metadata/labels\"", "\"/spec/containers/-\"",
        "\"/spec/containers/0\"", "\"/-1\"", "\"/metadata/~2\"", "\"add\"", "\"move\"", "\"copy\"", "\"remove\"", "\"metadata\"",
        "\"spec\"", "\"containers\"", "\"ports\"",
        "[{\"name\": \"a\"}]", "{\"uid\": \"x\"}", "\"resourceVersion\"", "\"managedFields\"", "\"finalizers\"", "\"ownerReferences\"",
    ];

    private readonly LocalServer _server = new();
    private int _next;

    public string Name => name;

    public IReadOnlyList<byte[]> Seeds { get; } = [.. SeedFiles.Under("tests/fixtures/seeds/api-patches", "*.txt")];

    public IMutator Mutator { get; } = new HeadMutator(
        new PieceMutator(
            "pods", "services", "configmaps", "deployments", "modeldeployments", "/status", "/scale", " ", "application/merge-patch+json",
            "application/json-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml", "application/json"),
        new AnyMutator(
            new TextMutator(Words), new ValueMutator(),
            new PieceMutator("\n", "  ", "- ", ": ", "{", "}", "[", "]", "a", "name", "$patch", "null", "0")));

    public FuzzLimits Limits { get; } = FuzzLimits.Default with { Cost = 8 };

    public Verdict Run(byte[] input)
    {
        var (head, body) = HeadMutator.Split(input);
        if (Encoding.UTF8.GetString(head).Split(' ') is not ["PATCH", var kind, { Length: > 0 } contentType]
            || kind.Split('/', 2) is not [var plural, ..]
            || !ApiObjects.All.TryGetValue(plural, out var made))
        {
            return Verdict.Refused("no patch");
        }

        var own = string.Create(CultureInfo.InvariantCulture, $"n{_next++}");
        _server.Send("POST", made.Collection, made.Json.Replace("NAME", own, StringComparison.Ordinal));
        var path = $"{made.Collection}/{own}";
        try
        {
            var isApply = contentType.Contains("apply", StringComparison.Ordinal);
            var (status, text) = _server.Send(
                "PATCH", $"{path}{kind[plural.Length..]}{(isApply ? "?fieldManager=fuzz&force=true" : "?fieldManager=fuzz")}",
                Encoding.UTF8.GetString(body).Replace("NAME", own, StringComparison.Ordinal), contentType);
            if (status < 400 && kind == plural)
            {
                RequireStored(text, _server.Send("GET", path).Text);
            }

            return status < 400 ? Verdict.Accepted : Verdict.Refused($"{status} {text}");
        }
        catch (FormatException)
        {
            return Verdict.Refused("no content type");
        }
        finally
        {
            _server.Send("DELETE", $"{path}?gracePeriodSeconds=0");
        }
    }

    public void Dispose() => _server.Dispose();

    private static void RequireStored(string answer, string stored)
    {
        if (!AreEqual(JsonNode.Parse(answer), JsonNode.Parse(stored)))
        {
            throw new FuzzFailure("what a patch answers is stored", $"{answer}\n{stored}");
        }
    }

    /// <summary>Integers beyond 64 bits are floats to an API server, and are answered as such.</summary>
    private static bool AreEqual(JsonNode? left, JsonNode? right) => (left, right) switch
    {
        (JsonObject a, JsonObject b) =>
            a.Count == b.Count && a.All(member => b.ContainsKey(member.Key) && AreEqual(member.Value, b[member.Key])),
        (JsonArray a, JsonArray b) => a.Count == b.Count && a.Zip(b).All(pair => AreEqual(pair.First, pair.Second)),
        (JsonValue a, JsonValue b) when a.TryGetValue(out double x) && b.TryGetValue(out double y) => x.Equals(y),
        _ => JsonNode.DeepEquals(left, right),
    };
}
