using Cluster.Fuzz.Targets.Operator;
using Cluster.Fuzz.Targets.Worker;

namespace Cluster.Fuzz;

/// <summary>All targets, by name.</summary>
internal static class TargetList
{
    private static readonly (string Name, Func<string, IFuzzTarget> Create)[] All =
    [
        ("http", name => new HttpTarget(name)),
        ("grpc", name => new GrpcTarget(name)),
        ("tokenizer", CheckpointTargets.TokenizerFile),
        ("tekken", CheckpointTargets.TokenizerForm("tekken.json", new AnyMutator(new TextMutator("\"rank\"", "v3"), new ValueMutator()))),
        ("tiktoken", CheckpointTargets.TokenizerForm("qwen.tiktoken", new AnyMutator(new TextMutator("IQ== 300\n"), new ByteMutator()))),
        ("sentencepiece", CheckpointTargets.TokenizerForm("tokenizer.model", new AnyMutator(new ProtobufMutator(), new ByteMutator()))),
        ("word-list", CheckpointTargets.TokenizerForm("vocab.txt", new AnyMutator(new TextMutator("[UNK]\n", "##"), new ByteMutator()))),
        ("tokenizer-config", CheckpointTargets.TokenizerConfig),
        ("tokenizer-text", TokenizerTargets.Text),
        ("tokenizer-pattern", TokenizerTargets.Pattern),
        ("tokenizer-scanner", TokenizerTargets.Scanner),
        ("chat-template", TemplateTargets.Template),
        ("regex", ConstraintTargets.Regex),
        ("json-schema", ConstraintTargets.Schema),
        ("safetensors", CheckpointTargets.Safetensors),
        ("safetensors-index", CheckpointTargets.Index),
        ("gguf", GgufTargets.File),
        ("config", CheckpointTargets.Config),
        ("generation-config", CheckpointTargets.GenerationConfig),
        ("hub-listing", HubTargets.Listing),
        ("hub-download", HubTargets.Download),
        ("yaml", ManifestTargets.YamlText),
        ("manifest", ManifestTargets.Manifests),
        ("pod-template", ManifestTargets.PodTemplate),
        ("nodes", ManifestTargets.Nodes),
        ("sizing", ManifestTargets.Sizing),
        ("kubeconfig", ManifestTargets.Kubeconfig),
        ("crd-schema", SchemaTargets.Schema),
        ("cel", SchemaTargets.Rules),
        ("api-request", name => new ApiRequestTarget(name)),
        ("api-patch", name => new ApiPatchTarget(name)),
        ("spdy", name => new SpdyTarget(name)),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. All.Select(target => target.Name)];

    public static IFuzzTarget Create(string name) => All.First(target => target.Name == name).Create(name);
}
