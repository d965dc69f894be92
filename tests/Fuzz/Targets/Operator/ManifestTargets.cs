using System.Text;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Commands;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Sizing;
using Cluster.Operator.Yaml;

namespace Cluster.Fuzz.Targets.Operator;

/// <summary>What people write for the operator: YAML, manifests, templates of pods, kubeconfigs, and what it is told of nodes and
/// models.</summary>
internal static class ManifestTargets
{
    private const string File = "input.yaml";

    private static readonly string[] YamlPieces =
    [
        "a", "- ", "? ", ": ", ":", "\n", "\n  ", "\t", "{", "}", "[", "]", ", ", "&a ", "*a", "!!int ", "!!str ", "!", "!<x>", "|",
        ">", "|9",
        ">-", "'", "\"", "\\", "\\x4", "\\uD800", "#", "---\n", "...\n", "%YAML 1.1\n", "%TAG ! x\n", "<<: ", "~", "0x1F", "0755",
        "\0", "\uFEFF",
        "\u2028", "😀", "@", "`", "1e999", "-.inf", ".nan", "yes", "NO", "null", "1_000", "12:30", "2026-01-31", "apiVersion: ",
        "kind: List", "metadata: ",
        "name: ", "spec:\n", "items:\n", "replicas: ", "-1", "\"\\u0000\"", "$patch: delete", "$patch: replace", "env: [{name: A}]",
    ];

    private static readonly AnyMutator Yaml = new(
        new PieceMutator(YamlPieces), new TextMutator("{$patch: replace}", "auto", "{name: worker}"));

    /// <summary>Whose operator gives every privilege: what is behind them is to be tried as well.</summary>
    private static readonly WorkerOptions Worker = new("worker:1")
    {
        Policy = new PodPolicy { Allowed = [.. PodPrivilege.All], ModelPathPrefixes = ["/"] }
    };

    public static IFuzzTarget YamlText(string name) => new TextTarget(
        name,
        [
            .. SeedFiles.Under("deploy/samples", "*.yaml"), .. SeedFiles.Under("deploy/crds", "*.yaml"),
            .. SeedFiles.Under("tests/fixtures/seeds", "*.yaml"),
            .. SeedFiles.Texts("a: &x {b: [1, 2.5, ~, yes]}\nc: *x\nd:\n  <<: *x\n  e: |-\n    t\n     u\n  f: >\n    v\n\n    w\n\"g\": 'h'\n"),
        ],
        Yaml, exception => exception is YamlSyntaxException, text =>
        {
            foreach (var document in YamlJson.ParseAll(text, File))
            {
                var again = YamlJson.Parse(YamlJson.ToYaml(document.Root), "written.yaml");
                if (!JsonNode.DeepEquals(document.Root, again))
                {
                    throw new FuzzFailure("what is written reads back equal", document.Root.ToJsonString());
                }
            }
        });

    public static IFuzzTarget Manifests(string name) => new TextTarget(
        name, [.. Renderable, .. SeedFiles.Under("tests/fixtures/seeds/manifests", "*.yaml")], Yaml, IsRefusal,
        text => Render(Manifest.Parse(text, File), null, new NoConfigs()))
    {
        Limits = FuzzLimits.Default with { Cost = 2 },
    };

    public static IFuzzTarget PodTemplate(string name) => new TextTarget(
        name, [.. SeedFiles.Under("tests/fixtures/seeds/pod-templates", "*.yaml")], Yaml, IsRefusal, text =>
        {
            var deployment = Deployment("1");
            deployment["spec"]!["podTemplate"] = YamlJson.Parse(text, File);
            Render([new Manifest(deployment, File)], null, new NoConfigs());
        })
    {
        Limits = FuzzLimits.Default with { Cost = 2 },
    };

    public static IFuzzTarget Nodes(string name) => new TextTarget(
        name, [.. SeedFiles.Under("tests/fixtures/seeds/nodes", "*.yaml")], Yaml, IsRefusal,
        text => Render([new Manifest(Deployment("1"), File)], Manifest.Parse(text, File), new NoConfigs()))
    {
        Limits = FuzzLimits.Default with { Cost = 2 },
    };

    /// <summary>config.json as the operator reads it, to choose a degree.</summary>
    public static IFuzzTarget Sizing(string name) => new TextTarget(
        name, [.. SeedFiles.Under("tests/fixtures/goldens", "config.json").Where(IsSized)],
        new AnyMutator(new TextMutator(), new ValueMutator()), IsRefusal,
        text => Render([new Manifest(Deployment(TensorParallelSize.AutoWord), File)], null, new GivenConfig(Encoding.UTF8.GetBytes(text))))
    {
        Limits = FuzzLimits.Default with { Cost = 2 },
    };

    public static IFuzzTarget Kubeconfig(string name)
    {
        TemporaryFolder folder = new();
        folder.Write("token", "t");
        return new TextTarget(
            name, [.. SeedFiles.Under("tests/fixtures/seeds/kubeconfigs", "*.yaml")],
            new AnyMutator(
                new PieceMutator(
                    [
                        .. YamlPieces, "user: ", "cluster: ", "server: ", "https://x", "token: ", "exec: ",
                        "certificate-authority-data: AA==", "client-key-data: AA==",
                    ]),
                new TextMutator("{name: x}")),
            exception => exception is KubernetesException, text => ClientConfiguration.Load(folder.Write("config", text), null))
        {
            Owned = folder,
        };
    }

    private static IEnumerable<byte[]> Renderable => SeedFiles.Under("deploy/samples", "*.yaml")
        .Where(text => Encoding.UTF8.GetString(text).Contains("tensorParallelSize", StringComparison.Ordinal)
            && !Encoding.UTF8.GetString(text).Contains(TensorParallelSize.AutoWord, StringComparison.Ordinal));

    // The layouts of quantized tensors are of no concern here, but all have a model_type.
    private static bool IsSized(byte[] config) => config.AsSpan().IndexOf("\"model_type\""u8) >= 0;

    private static bool IsRefusal(Exception exception) => exception is YamlSyntaxException or CommandFailure or NotRenderedException;

    private static JsonObject Deployment(string size) => YamlJson.Parse(
        $$"""
        apiVersion: {{ApiNames.ApiVersion}}
        kind: {{ApiNames.Kind}}
        metadata: {name: fuzz}
        spec: {model: {source: "hf://org/model"}, replicas: 2, tensorParallelSize: {{size}}}
        """, "deployment.yaml")!.AsObject();

    /// <exception cref="NotRenderedException">Something is wrong, and it was said.</exception>
    private static void Render(IReadOnlyList<Manifest> manifests, IReadOnlyList<Manifest>? cluster, IModelConfigs configs)
    {
        using StringWriter output = new(), error = new();
        var code = RenderCommand.RenderAsync(
            manifests, cluster, configs, Worker, output, error, CancellationToken.None).GetAwaiter().GetResult();
        YamlJson.ParseAll(output.ToString(), "rendered.yaml");
        if (code != 0)
        {
            throw error.ToString().Length > 0 ? new NotRenderedException(error.ToString()) : new FuzzFailure("a failure says why", "");
        }
    }

    private sealed class NotRenderedException(string why) : Exception(why);

    private sealed class NoConfigs : IModelConfigs
    {
        public Task<ModelConfig> ReadAsync(ModelSource source, CancellationToken cancellationToken) =>
            throw new ModelConfigException("there is none here");
    }

    private sealed class GivenConfig(byte[] text) : IModelConfigs
    {
        public Task<ModelConfig> ReadAsync(ModelSource source, CancellationToken cancellationToken) =>
            Task.FromResult(new ModelConfig(ModelConfig.Parse(text, "config.json"), null, "config.json"));
    }
}
