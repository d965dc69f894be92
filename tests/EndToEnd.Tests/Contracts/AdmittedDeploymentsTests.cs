using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Yaml;

namespace Cluster.EndToEnd.Tests.Contracts;

/// <summary>Operator and worker agree: what the API admits, a worker starts with; what it refuses, a worker would refuse.</summary>
public sealed class AdmittedDeploymentsTests : IDisposable
{
    private static readonly string Fixtures = Path.Combine(RepositoryRoot.Path, "tests", "fixtures");
    private static readonly string Samples = Path.Combine(RepositoryRoot.Path, "deploy", "samples");
    private static readonly string Haiku = Path.Combine(Samples, "models", "haiku-1m");
    private static readonly string Draft = Path.Combine(Fixtures, "haiku-draft");

    /// <summary>A checkpoint of each method; null is one that is not quantized.</summary>
    private static readonly Dictionary<string, string?> Checkpoints = new()
    {
        [WorkerFlags.None] = null,
        [QuantizationMethods.Fp8] = "fp8-dynamic",
        [QuantizationMethods.FbgemmFp8] = "fp8-compressed-tensors",
        [QuantizationMethods.CompressedTensors] = "fp8-compressed-tensors",
        [QuantizationMethods.Gptq] = "gptq",
        [QuantizationMethods.Awq] = "awq",
        [QuantizationMethods.SqueezeLlm] = "squeezellm",
        [QuantizationMethods.Quark] = "quark-fp8-kv",
        [QuantizationMethods.Mxfp4] = "gpt-oss-mxfp4",
    };

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> SampleFiles =>
        [.. Directory.EnumerateFiles(Samples, "*.yaml").Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    public static MatrixTheoryData<string, string> DTypes => new([.. WorkerFlags.DType.Words, "", "int8"], [.. Checkpoints.Keys]);

    public static MatrixTheoryData<string, string> Caches => new([.. WorkerFlags.KvCacheDType.Words, "", "int8"], ["", "[ngram]", "draft"]);

    /// <summary>Fields of spec.engine that need each other, in every combination.</summary>
    public static MatrixTheoryData<string, string, string> Steps => new(
        ["", "maxNumSeqs: 8", "maxNumSeqs: 8, maxModelLen: 64", "maxModelLen: 64"],
        ["", "maxNumBatchedTokens: 4", "maxNumBatchedTokens: 8", "maxNumBatchedTokens: 64"],
        ["", "enableChunkedPrefill: false", "numSchedulerSteps: 4", "numSchedulerSteps: 4, speculative: {model: '[ngram]', numTokens: 3}",
            "speculative: {model: '[ngram]', numTokens: 33}"]);

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(SampleFiles))]
    public async Task Every_sample_starts_a_worker(string file)
    {
        var deployments = Manifest.Load(Path.Combine(Samples, file)).Where(manifest => manifest.Kind == "ModelDeployment").ToList();
        foreach (var manifest in deployments)
        {
            var deployment = ModelDeploymentDefaults.Apply(KubernetesJson.Read<ModelDeployment>(manifest.Object));
            Assert.Empty(ModelDeploymentValidator.Validate(deployment));
            var sized = deployment.Spec.TensorParallelSize.IsAuto ? deployment.Sized(1) : deployment;
            var quantization = sized.Spec.Engine.Quantization is { } stated and not WorkerFlags.Auto ? stated : WorkerFlags.None;
            Assert.Null(await WorkerStart.RefusalAsync(sized, Checkpoint(quantization), Longer(Draft, "draft"), Haiku));
        }

        Assert.NotEmpty(deployments);
    }

    [Theory, MemberData(nameof(DTypes))]
    public async Task Types_and_quantizations_mean_the_same_to_both(string dtype, string quantization)
    {
        foreach (var stated in (string[])["", WorkerFlags.Auto, quantization])
        {
            await AssertAgreeAsync($"{Field("dtype", dtype)}{Field("quantization", stated)}", quantization);
        }
    }

    [Theory, MemberData(nameof(Caches))]
    public async Task Caches_and_drafts_mean_the_same_to_both(string cache, string speculation)
    {
        var model = speculation == "draft" ? "file:///draft" : speculation;
        var drafting = model.Length == 0 ? "" : $"speculative: {{model: '{model}', numTokens: 3}}, ";
        await AssertAgreeAsync(Field("kvCacheDtype", cache) + drafting, WorkerFlags.None);
    }

    [Theory, MemberData(nameof(Steps))]
    public Task Sizes_of_steps_mean_the_same_to_both(string sequences, string tokens, string rest) =>
        AssertAgreeAsync(
            string.Concat(((string[])[sequences, tokens, rest]).Where(part => part.Length > 0).Select(part => part + ", ")),
            WorkerFlags.None);

    [Fact]
    public async Task A_method_that_neither_knows_is_refused_by_both() => await AssertAgreeAsync("quantization: bitsandbytes", "none");

    private async Task AssertAgreeAsync(string engine, string quantization)
    {
        var manifest = Assert.Single(Manifest.Parse(
            $$"""
            apiVersion: serving.cluster.sh/v1alpha1
            kind: ModelDeployment
            metadata: {name: m, namespace: default}
            spec: {model: {source: 'file:///model'}, tensorParallelSize: 1, engine: { {{engine}} } }
            """, "test"));
        var deployment = ModelDeploymentDefaults.Apply(KubernetesJson.Read<ModelDeployment>(manifest.Object));
        var errors = ModelDeploymentValidator.Validate(deployment);
        var refusal = await WorkerStart.RefusalAsync(deployment, Checkpoint(quantization), Draft, Haiku);
        Assert.True(
            (errors.Count == 0) == (refusal is null),
            $"{engine}: the API {(errors.Count == 0 ? "admits it" : $"says {errors[0].Path}: {errors[0].Message}")}, the worker "
            + (refusal is null ? "starts" : $"says {refusal}"));
    }

    private static string Field(string name, string value) => value.Length == 0 ? "" : $"{name}: '{value}', ";

    private string Checkpoint(string quantization)
    {
        var name = Checkpoints[quantization];
        var folder = name is null ? Haiku : Path.Combine(Fixtures, "goldens", "quantized", name);
        return quantization == QuantizationMethods.FbgemmFp8
            ? WorkerStart.Copy(folder, Path.Combine(_folder.Path, "fbgemm"), config =>
            {
                config["quantization_config"] = new System.Text.Json.Nodes.JsonObject { ["quant_method"] = QuantizationMethods.FbgemmFp8 };
                config["max_position_embeddings"] = 1 << 17;
            })
            : Longer(folder, quantization);
    }

    /// <summary>Samples serve models of longer contexts than haiku's.</summary>
    private string Longer(string folder, string name)
    {
        var to = Path.Combine(_folder.Path, name);
        return Directory.Exists(to) ? to : WorkerStart.Copy(folder, to, config => config["max_position_embeddings"] = 1 << 17);
    }
}
