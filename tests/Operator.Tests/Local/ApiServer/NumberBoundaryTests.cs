using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Every numeric field of a ModelDeployment's spec at the edges of its range, whole numbers and fractions: what is outside is
/// refused, what is inside is not, by a server that compares as kube-openapi does.</summary>
public sealed class NumberBoundaryTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>, IAsyncLifetime
{
    private const string Definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

    private static readonly JsonObject Definition = (JsonObject)YamlJson.Parse(
        File.ReadAllText(Path.Combine(RepositoryRoot.Path, "deploy", "crds", "modeldeployments.yaml")), "modeldeployments.yaml")!;

    private static JsonObject Spec =>
        Definition["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!.AsObject();

    /// <summary>Path, lower and upper bound; NaN where there is none.</summary>
    private static readonly Dictionary<string, (double Least, double Most, bool Whole)> Numbers = Find(Spec, "spec")
        .ToDictionary(f => f.Path, f => (f.Least, f.Most, f.Whole), StringComparer.Ordinal);

    public static TheoryData<string> Fields => [.. Numbers.Keys];

    public async ValueTask InitializeAsync()
    {
        using var answer = await fixture.Client.SendAsync(HttpMethod.Post, Definitions, Definition.DeepClone());
        Assert.True(answer.StatusCode is HttpStatusCode.Created or HttpStatusCode.Conflict, await answer.Content.ReadAsStringAsync());
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public void Every_number_that_people_write_has_a_lower_bound() =>
        Assert.All(Numbers, field => Assert.False(double.IsNaN(field.Value.Least), field.Key));

    [Theory, MemberData(nameof(Fields))]
    public async Task A_number_is_accepted_within_its_range_only(string field)
    {
        var (least, most, whole) = Numbers[field];
        var space = await fixture.NewNamespaceAsync();
        double[] edges = [least, most, 0, 1, -1];
        var values = edges.Where(e => !double.IsNaN(e))
            .SelectMany(e => whole ? [e - 1, e, e + 1] : new[] { e - 1, e - 0.005, e, e + 0.005, e + 1, Math.Floor(e), Math.Ceiling(e) })
            .Distinct().ToList();
        foreach (var value in values)
        {
            var isRight = !(value < least) && !(value > most);
            using var answer = await fixture.Client.SendAsync(
                HttpMethod.Post, $"/apis/serving.cluster.sh/v1alpha1/namespaces/{space}/modeldeployments?dryRun=All",
                Manifest(field, value));
            var text = await answer.Content.ReadAsStringAsync();
            var isRefused = answer.StatusCode == HttpStatusCode.UnprocessableEntity
                && JsonNode.Parse(text)!["details"]!["causes"]!.AsArray().Any(cause => (string?)cause!["field"] == field);
            Assert.True(isRefused != isRight, $"{field}: {value.ToString(CultureInfo.InvariantCulture)}: {text}");
        }
    }

    private static IEnumerable<(string Path, double Least, double Most, bool Whole)> Find(JsonObject schema, string path)
    {
        if ((string?)schema["type"] is "integer" or "number" || (bool?)schema["x-kubernetes-int-or-string"] == true)
        {
            yield return (
                path, schema["minimum"].AsNumber() ?? double.NaN, schema["maximum"].AsNumber() ?? double.NaN,
                (string?)schema["type"] != "number");
        }

        foreach (var (name, field) in schema["properties"]?.AsObject() ?? [])
        {
            foreach (var found in Find(field!.AsObject(), $"{path}.{name}"))
            {
                yield return found;
            }
        }
    }

    private static JsonObject Manifest(string field, double value)
    {
        // Written as JSON writes it: a whole number without a fraction.
        JsonNode number = value == Math.Floor(value) ? (long)value : value;
        JsonObject spec = new() { ["model"] = new JsonObject { ["source"] = "file:///data/m" } };
        var parts = field.Split('.')[1..];
        var at = spec;
        foreach (var part in parts[..^1])
        {
            at[part] ??= new JsonObject();
            at = at[part]!.AsObject();
        }

        at[parts[^1]] = number;
        if (parts[0] == "engine" && parts.Contains("speculative"))
        {
            spec["engine"]!["speculative"]!["model"] = "hf://a/b";
        }

        if (parts[0] == "autoscaling")
        {
            spec["autoscaling"]!["maxReplicas"] ??= 8192;
        }

        return new JsonObject
        {
            ["apiVersion"] = "serving.cluster.sh/v1alpha1",
            ["kind"] = "ModelDeployment",
            ["metadata"] = new JsonObject { ["name"] = "m" },
            ["spec"] = spec,
        };
    }
}
