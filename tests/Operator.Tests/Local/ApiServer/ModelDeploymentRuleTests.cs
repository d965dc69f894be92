using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>Every CEL rule of deploy/crds/modeldeployments.yaml: a manifest that it lets pass and one that it refuses, at the API and with
/// kubectl.</summary>
public sealed class ModelDeploymentRuleTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>, IAsyncLifetime
{
    private const string NoKubectl = "kubectl is not installed (set CLUSTER_KUBECTL or put it on the PATH)";
    private const string Definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

    /// <summary>Field, beginning of the rule's message, what is right, what is wrong; both with a model unless they name one.</summary>
    private static readonly (string Field, string Message, string Right, string Wrong)[] Cases =
    [
        ("<nil>", "metadata.name must start with", """{"name": "right"}""", """{"name": "1st"}"""),
        ("spec", "model.tokenSecretRef is a Hugging Face token",
            """{"model": {"source": "hf://org/name", "tokenSecretRef": {"name": "hf", "key": "token"}}}""",
            """{"model": {"source": "file:///data/m", "tokenSecretRef": {"name": "hf", "key": "token"}}}"""),
        ("spec", "model.cache keeps what is downloaded",
            """{"model": {"source": "hf://org/name", "cache": "file:///models"}}""",
            """{"model": {"source": "file:///data/m", "cache": "file:///models"}}"""),
        ("spec", "tuning.ncclMinNChannels above 64", """{"tensorParallelSize": 8, "tuning": {"ncclMinNChannels": 65}}""",
            """{"tensorParallelSize": 7, "tuning": {"ncclMinNChannels": 65}}"""),
        ("spec", "tuning.ncclMinNChannels above 64", """{"tuning": {"ncclMinNChannels": "Auto"}}""",
            """{"tuning": {"ncclMinNChannels": 112}}"""),
        ("spec.gpu", "placement applies to allocation Pinned only", """{"gpu": {"placement": "Spread"}}""",
            """{"gpu": {"allocation": "DevicePlugin", "placement": "Pack"}}"""),
        ("spec", "optimizeFor says what tensorParallelSize auto is chosen for",
            """{"tensorParallelSize": "auto", "optimizeFor": "Latency"}""", """{"tensorParallelSize": 2, "optimizeFor": "Latency"}"""),
        ("spec", "model.config is what tensorParallelSize auto is computed from",
            """{"tensorParallelSize": "auto", "model": {"source": "file:///m", "config": {"model_type": "llama"}}}""",
            """{"model": {"source": "file:///m", "config": {"model_type": "llama"}}}"""),
        ("spec.gpu", "deviceAccess applies to allocation Pinned only", """{"gpu": {"deviceAccess": "RuntimeClass"}}""",
            """{"gpu": {"allocation": "DevicePlugin", "deviceAccess": "Privileged"}}"""),
        ("spec.gpu", "requireSameHive applies to allocation Pinned only", """{"gpu": {"allocation": "Pinned", "requireSameHive": false}}""",
            """{"gpu": {"allocation": "DevicePlugin", "requireSameHive": true}}"""),
        ("spec.gpu", "resourceName is a device plugin's resource",
            """{"gpu": {"allocation": "DevicePlugin", "resourceName": "amd.com/cpx_nps4"}}""",
            """{"gpu": {"allocation": "ResourceClaim", "resourceName": "amd.com/cpx_nps4"}}"""),
        ("spec", "tensorParallelSize auto is chosen by the nodes' GPUs",
            """{"tensorParallelSize": 8, "gpu": {"allocation": "ResourceClaim"}}""",
            """{"tensorParallelSize": "auto", "gpu": {"allocation": "ResourceClaim"}}"""),
        ("spec.gpu.allocation", "cannot be changed", """{"gpu": {"allocation": "Pinned"}}""",
            """{"gpu": {"allocation": "DevicePlugin"}}"""),
        ("spec.engine", "maxNumBatchedTokens must be at least maxNumSeqs", """{"engine": {"maxNumBatchedTokens": 8, "maxNumSeqs": 8}}""",
            """{"engine": {"maxNumBatchedTokens": 7, "maxNumSeqs": 8}}"""),
        ("spec.engine.gpuMemoryUtilization", "must be at least 0.01", """{"engine": {"gpuMemoryUtilization": 0.01}}""",
            """{"engine": {"gpuMemoryUtilization": 0}}"""),
        ("spec.engine", "without chunked prefill maxNumBatchedTokens",
            """{"engine": {"enableChunkedPrefill": true, "maxNumBatchedTokens": 7, "maxModelLen": 8}}""",
            """{"engine": {"enableChunkedPrefill": false, "maxNumBatchedTokens": 7, "maxModelLen": 8}}"""),
        ("spec.engine", "numSchedulerSteps above 1 cannot be combined with speculative",
            """{"engine": {"numSchedulerSteps": 1, "speculative": {"model": "hf://a/b", "numTokens": 2}}}""",
            """{"engine": {"numSchedulerSteps": 2, "speculative": {"model": "hf://a/b", "numTokens": 2}}}"""),
        ("spec", "model.preload downloads what is not there yet",
            """{"model": {"source": "oci://registry/image", "preload": true}}""",
            """{"model": {"source": "file:///data/m", "preload": true}}"""),
        ("spec", "with autoscaling the operator chooses the number of replicas",
            """{"replicas": 1, "autoscaling": {"maxReplicas": 2, "targetOutstandingTokens": 9}}""",
            """{"replicas": 2, "autoscaling": {"maxReplicas": 2, "targetOutstandingTokens": 9}}"""),
        ("spec.autoscaling", "give one of targetOutstandingTokens and targetQueueSeconds",
            """{"autoscaling": {"maxReplicas": 2, "targetQueueSeconds": 1.5}}""",
            """{"autoscaling": {"maxReplicas": 2, "targetQueueSeconds": 1.5, "targetOutstandingTokens": 9}}"""),
        ("spec.autoscaling", "minReplicas must not be above maxReplicas",
            """{"autoscaling": {"minReplicas": 2, "maxReplicas": 2, "targetOutstandingTokens": 9}}""",
            """{"autoscaling": {"minReplicas": 3, "maxReplicas": 2, "targetOutstandingTokens": 9}}"""),
        ("spec.autoscaling.targetQueueSeconds", "must be at least 0.1",
            """{"autoscaling": {"maxReplicas": 2, "targetQueueSeconds": 0.1}}""",
            """{"autoscaling": {"maxReplicas": 2, "targetQueueSeconds": 0}}"""),
        ("spec.rollout", "maxUnavailable and maxSurge cannot both be 0", """{"rollout": {"maxUnavailable": 0, "maxSurge": 1}}""",
            """{"rollout": {"maxUnavailable": 0}}"""),
    ];

    private static readonly JsonObject Definition = ReadDefinition();

    private ApiClient Client => fixture.Client;

    public static bool HasKubectl => Kubectl.Program is not null;

    public static TheoryData<int> Rules => [.. Enumerable.Range(0, Cases.Length)];

    public async ValueTask InitializeAsync()
    {
        using var answer = await Client.SendAsync(HttpMethod.Post, Definitions, Definition.DeepClone());
        Assert.True(answer.StatusCode is HttpStatusCode.Created or HttpStatusCode.Conflict, await answer.Content.ReadAsStringAsync());
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public void Every_rule_of_the_definition_has_its_case() =>
        Assert.All(
            Messages(Definition).ToList(), message => Assert.Contains(Cases, c => message.StartsWith(c.Message, StringComparison.Ordinal)));

    [Theory, MemberData(nameof(Rules))]
    public async Task A_right_manifest_is_accepted_and_a_wrong_one_refused_where_it_is_wrong(int rule)
    {
        var (field, message, right, wrong) = Cases[rule];
        var path = $"/apis/serving.cluster.sh/v1alpha1/namespaces/{await fixture.NewNamespaceAsync()}/modeldeployments";
        var accepted = await Client.CreateAsync(path, Manifest(right));

        // What is immutable can only be wrong in a change.
        var refused = IsAboutChange(field)
            ? await Client.ExpectAsync(
                HttpStatusCode.UnprocessableEntity, HttpMethod.Patch, $"{path}/{accepted["metadata"]!["name"]}",
                new JsonObject { ["spec"] = Manifest(wrong)["spec"]!.DeepClone() }, "application/merge-patch+json")
            : await Client.ExpectAsync(HttpStatusCode.UnprocessableEntity, HttpMethod.Post, path, Manifest(wrong));
        var cause = Assert.Single((JsonArray)refused["details"]!["causes"]!)!;
        Assert.Equal((field, "FieldValueInvalid"), ((string?)cause["field"], (string?)cause["reason"]));
        Assert.Matches($"^Invalid value: \"(object|string|number)\": {message}", (string)cause["message"]!);
    }

    [Theory(Skip = NoKubectl, SkipUnless = nameof(HasKubectl)), MemberData(nameof(Rules))]
    public async Task Kubectl_apply_says_what_is_wrong(int rule)
    {
        var (field, message, right, wrong) = Cases[rule];
        using Kubectl kubectl = new(fixture.Server, await fixture.NewNamespaceAsync());
        Assert.Contains("created", await kubectl.RunWithInputAsync(Manifest(right).ToJsonString(), "apply", "-f", "-"));
        var (code, output) = await kubectl.TryAsync(Manifest(wrong).ToJsonString(), "apply", "-f", "-");
        Assert.NotEqual(0, code);
        Assert.Contains("is invalid", output);
        Assert.Matches($"{field}: Invalid value: \"(object|string|number)\": {message}", output);
    }

    private static bool IsAboutChange(string field) => field == "spec.gpu.allocation";

    private static JsonObject Manifest(string spec)
    {
        var body = (JsonObject)Fixtures.Json(spec);
        var name = (string?)body["name"] ?? "right";
        body.Remove("name");
        body["model"] ??= new JsonObject { ["source"] = "file:///data/m" };
        return new JsonObject
        {
            ["apiVersion"] = "serving.cluster.sh/v1alpha1",
            ["kind"] = "ModelDeployment",
            ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = body,
        };
    }

    private static JsonObject ReadDefinition() => (JsonObject)YamlJson.Parse(
        File.ReadAllText(Path.Combine(RepositoryRoot.Path, "deploy", "crds", "modeldeployments.yaml")), "modeldeployments.yaml")!;

    private static IEnumerable<string> Messages(JsonNode? node) => node switch
    {
        JsonObject map => map.SelectMany(
            member => member.Key == "x-kubernetes-validations"
                ? member.Value!.AsArray().Select(rule => (string)rule!["message"]!)
                : Messages(member.Value)),
        JsonArray list => list.SelectMany(Messages),
        _ => [],
    };
}
