using System.Diagnostics;
using Cluster.Common.Files;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Sizing;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Tests.Kubernetes;

/// <summary>What is no regular file is refused at once, by name, wherever the operator reads one.</summary>
public sealed class RefusedFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string> Kinds => new()
    {
        { "/dev/zero", "is a link to '/dev/zero', a device" },
        { "/dev/random", "is a link to '/dev/random', a device" },
        { "folder", "is a folder" },
        { "pipe", "is a named pipe" },
        { "loop", "is a link that leads in a circle" },
        { "huge", "has 10737418240 bytes" },
    };

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Kinds))]
    public void A_kubeconfig_that_is_no_file_is_refused_by_name(string kind, string found)
    {
        var path = Put("config", kind);
        var error = Assert.Throws<KubernetesException>(() => new ClientConfigurationLoader().Load(path, null));
        Assert.Contains($"{path}: {found}", error.Message, StringComparison.Ordinal);
        Assert.Contains("expected a kubeconfig in a regular file of at most", error.Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_manifest_that_is_no_file_is_refused_by_name(string kind, string found)
    {
        if (kind != "folder")
        {
            var path = Put("m.yaml", kind);
            Assert.StartsWith(
                $"{path}: {found}", Assert.Throws<RefusedFileException>(() => Manifest.Load(path)).Message, StringComparison.Ordinal);
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_models_configuration_that_is_no_file_is_refused_by_name(string kind, string found)
    {
        var path = Put("config.json", kind);
        FolderModelConfigs configs = new(_ => _folder.Path, new NoModelConfigs());
        var error = await Assert.ThrowsAsync<ModelConfigException>(
            () => configs.ReadAsync(ModelSource.Parse("file:///m"), TestContext.Current.CancellationToken));
        Assert.Contains($"{path}: {found}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_file_that_is_a_pipe_is_refused_by_name()
    {
        var path = Put("token", "pipe");
        var error = await Assert.ThrowsAsync<KubernetesException>(
            async () => await new TokenFileCredentialSource(path, null).GetAsync(TestContext.Current.CancellationToken));
        Assert.Contains("is a named pipe", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_of_a_quantization_beside_config_json_are_sized_as_in_it()
    {
        _folder.With("config.json", Small).With("quantize_config.json", """{"bits": 4, "group_size": 128, "desc_act": false}""");
        var config = await new FolderModelConfigs(_ => _folder.Path, new NoModelConfigs()).ReadAsync(
            ModelSource.Parse("file:///m"), TestContext.Current.CancellationToken);
        Assert.Equal("GPTQ, 4 bits", ModelShapeReader.Read(config.Json).Format.Name);
    }

    private const string Small =
        """{"model_type": "llama", "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2, "intermediate_size": 1024, "vocab_size": 1000, "max_position_embeddings": 512}""";

    private string Put(string name, string kind)
    {
        var path = Path.Combine(_folder.Path, name);
        switch (kind)
        {
            case "folder":
                Directory.CreateDirectory(path);
                break;
            case "pipe":
                Process.Start("mkfifo", [path]).WaitForExit();
                break;
            case "loop":
                File.CreateSymbolicLink(path, path);
                break;
            case "huge":
                using (var file = File.Create(path))
                {
                    file.SetLength(10L << 30);
                }

                break;
            default:
                File.CreateSymbolicLink(path, kind);
                break;
        }

        return path;
    }
}
