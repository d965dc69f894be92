using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Tests.Api;

/// <summary>Every CEL rule of the CRD against <see cref="ModelDeploymentValidator"/>: generated specs are judged by both, and they agree.
/// An API server checks the rules; the operator checks again what an older definition may have let pass, and <c>render</c> checks
/// both.</summary>
public sealed class CelAgreementTests
{
    private const int SpecsPerRule = 400;
    private const string ExplicitDefault =
        "the API server sees that a field is given, even with its default; the typed object has the default either way";

    /// <summary>Beginning of the rule's message; path and a part of the validator's error; and why the validator may be more lenient, where
    /// it may.</summary>
    private static readonly (string Rule, string Path, string Error, string? Lenient)[] Cases =
    [
        ("metadata.name must start with", "metadata.name", "must start with", null),
        ("model.tokenSecretRef is a Hugging Face token", "spec.model.tokenSecretRef", "does not come from the hub", null),
        ("model.cache keeps what is downloaded", "spec.model.cache", "does not come from", null),
        ("model.preload downloads what is not there yet", "spec.model.preload", "downloads what is not there yet", null),
        ("tuning.ncclMinNChannels above 64", "spec.tuning.ncclMinNChannels", "is above 64", null),
        ("optimizeFor says what tensorParallelSize", "spec.optimizeFor", "tensorParallelSize auto", null),
        ("model.config is what tensorParallelSize", "spec.model.config", "tensorParallelSize auto", null),
        ("deviceAccess applies to allocation Pinned only", "spec.gpu.deviceAccess", "applies to allocation Pinned only", ExplicitDefault),
        ("requireSameHive applies to allocation Pinned only", "spec.gpu.requireSameHive", "applies to allocation Pinned only",
            ExplicitDefault),
        ("placement applies to allocation Pinned only", "spec.gpu.placement", "applies to allocation Pinned only", ExplicitDefault),
        ("resourceName is a device plugin's resource", "spec.gpu.resourceName", "is a device plugin's resource", null),
        ("tensorParallelSize auto is chosen by the nodes' GPUs", "spec.tensorParallelSize", "only the scheduler knows", null),
        ("maxNumBatchedTokens must be at least maxNumSeqs", "spec.engine.maxNumBatchedTokens", "than maxNumSeqs", null),
        ("without chunked prefill maxNumBatchedTokens", "spec.engine.maxNumBatchedTokens", "than maxModelLen", null),
        ("numSchedulerSteps above 1", "spec.engine.numSchedulerSteps", "speculative", null),
        ("with autoscaling the operator chooses", "spec.replicas", "leave it out", null),
        ("give one of targetOutstandingTokens", "spec.autoscaling", "give one of", null),
        ("minReplicas must not be above", "spec.autoscaling.minReplicas", "is above maxReplicas", null),
        ("maxUnavailable and maxSurge cannot both be 0", "spec.rollout", "cannot both be 0", null),
        ("cannot be changed", "spec.gpu.allocation", "cannot be changed",
            "the rule compares two versions of an object; the validator sees one"),
    ];

    /// <summary>Fields that rules look at, with what may stand there; an empty text leaves the field out.</summary>
    private static readonly (string Path, string[] Values)[] Fields =
    [
        ("metadata.name",
            ["\"m\"", "\"llama-70b\"", "\"1st\"", "\"Upper\"", "\"ends-\"", $"\"{new string('a', 52)}\"", $"\"{new string('a', 53)}\"",
                "\"a.b\""]),
        ("spec.model.source",
            ["\"hf://org/name\"", "\"oci://r.io/m\"", "\"file:///data/m\"", "\"pvc://claim/m\"", "\"hf://org/name@a/..\""]),
        ("spec.model.tokenSecretRef", ["", """{"name": "hf", "key": "token"}"""]),
        ("spec.model.cache", ["", "\"file:///cache\"", "\"pvc://claim\""]),
        ("spec.model.preload", ["", "true", "false"]),
        ("spec.model.config", ["", "", """{"model_type": "llama"}"""]),
        ("spec.tensorParallelSize", ["", "1", "7", "8", "\"auto\""]),
        ("spec.optimizeFor", ["", "\"Latency\"", "\"Throughput\""]),
        ("spec.replicas", ["", "1", "0", "3"]),
        ("spec.autoscaling",
            ["", """{"maxReplicas": 4, "targetOutstandingTokens": 4096}""", """{"maxReplicas": 4, "targetQueueSeconds": 2.5}""",
                """{"maxReplicas": 1, "minReplicas": 1, "targetQueueSeconds": 2}""", """{"maxReplicas": 4}""",
                """{"maxReplicas": 4, "minReplicas": 5, "targetQueueSeconds": 2, "targetOutstandingTokens": 4096}"""]),
        ("spec.tuning.ncclMinNChannels", ["", "\"Auto\"", "1", "64", "65", "1024"]),
        ("spec.gpu.allocation", ["", "\"Pinned\"", "\"DevicePlugin\"", "\"ResourceClaim\""]),
        ("spec.gpu.resourceName", ["", "", "\"amd.com/gpu\"", "\"amd.com/cpx_nps4\""]),
        ("spec.gpu.deviceAccess", ["", "\"Privileged\"", "\"RuntimeClass\"", "\"Plugin\""]),
        ("spec.gpu.requireSameHive", ["", "true", "false"]),
        ("spec.gpu.placement", ["", "\"Pack\"", "\"Spread\""]),
        ("spec.engine.dtype", ["", "\"auto\"", "\"half\"", "\"float16\"", "\"bfloat16\"", "\"float\"", "\"float32\""]),
        ("spec.engine.quantization",
            ["", "\"auto\"", "\"none\"", "\"fp8\"", "\"gptq\"", "\"awq\"", "\"squeezellm\"", "\"compressed-tensors\""]),
        ("spec.engine.maxModelLen", ["", "1", "2048", "2049"]),
        ("spec.engine.maxNumSeqs", ["", "1", "256", "2048", "2049"]),
        ("spec.engine.maxNumBatchedTokens", ["", "1", "255", "2048", "4096"]),
        ("spec.engine.enableChunkedPrefill", ["", "true", "false"]),
        ("spec.engine.numSchedulerSteps", ["", "1", "2", "64"]),
        ("spec.engine.speculative",
            ["", """{"model": "file:///draft", "numTokens": 4}""", """{"model": "hf://org/draft", "numTokens": 1}""",
                """{"model": "hf://org/name@a/..", "numTokens": 1}"""]),
        ("spec.rollout.maxUnavailable", ["", "0", "1"]),
        ("spec.rollout.maxSurge", ["", "0", "1"]),
    ];

    private static readonly JsonObject Root = CrdDocument.Build()["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!.AsObject();

    private static readonly StructuralSchema Schema = StructuralSchema.Parse(Root, "", []);

    public static TheoryData<string> Rules => [.. Cases.Select(rule => rule.Rule)];

    [Fact]
    public void Every_rule_of_the_definition_is_held_against_the_validator() =>
        // A rule that states a field's own bound once more is the schema's, see NumberBoundaryTests.
        Assert.Equal(
            Messages(Root).Where(message => !message.StartsWith("must be at ", StringComparison.Ordinal))
                .Select(message => Cases.Single(rule => message.StartsWith(rule.Rule, StringComparison.Ordinal)).Rule).Order(),
            Cases.Select(rule => rule.Rule).Order());

    [Theory, MemberData(nameof(Rules))]
    public void Rule_and_validator_agree(string rule)
    {
        var (_, path, error, lenient) = Cases.Single(c => c.Rule == rule);
        Random random = new(rule.Length);
        var (kept, broken) = (0, 0);
        for (var i = 0; i < SpecsPerRule; i++)
        {
            var manifest = Generate(random);
            var refused = BreaksRule(manifest, rule);
            var invalid = Errors(manifest).Any(e => e.Path == path && e.Message.Contains(error, StringComparison.Ordinal));
            (kept, broken) = refused ? (kept, broken + 1) : (kept + 1, broken);
            Assert.True(
                invalid == refused || (lenient is not null && refused),
                $"rule {(refused ? "broken" : "kept")}, validator {(invalid ? "refuses" : "accepts")}: {manifest.ToJsonString()}");
        }

        Assert.True(
            kept > 0 && (broken > 0 || path == "spec.gpu.allocation"), $"kept {kept}, broken {broken}: the specs do not try the rule");
    }

    private static JsonObject Generate(Random random)
    {
        var manifest = new JsonObject { ["apiVersion"] = ResourceDefinition.Of<ModelDeployment>().ApiVersion, ["kind"] = ApiNames.Kind };
        foreach (var (path, values) in Fields)
        {
            if (values[random.Next(values.Length)] is not { Length: > 0 } text)
            {
                continue;
            }

            var parent = manifest;
            var names = path.Split('.');
            foreach (var name in names[..^1])
            {
                parent = (JsonObject)(parent[name] ??= new JsonObject());
            }

            parent[names[^1]] = JsonNode.Parse(text);
        }

        return manifest;
    }

    /// <summary>As an API server would judge: defaults first, then schema and rules.</summary>
    private static bool BreaksRule(JsonObject manifest, string rule)
    {
        var value = (JsonObject)manifest.DeepClone();
        Operator.Manifests.Schema.SchemaDefaults.Apply(value, Schema);
        var errors = SchemaValidator.Validate(value, old: null, Schema, warnings: []);
        Assert.All(errors, e => Assert.Contains(Cases, c => e.Message.Contains(c.Rule, StringComparison.Ordinal)));
        return errors.Exists(e => e.Message.Contains(rule, StringComparison.Ordinal));
    }

    private static IReadOnlyList<ValidationError> Errors(JsonObject manifest) =>
        ModelDeploymentValidator.Validate(ModelDeploymentDefaults.Apply(KubernetesJson.Read<ModelDeployment>(manifest.DeepClone())));

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
