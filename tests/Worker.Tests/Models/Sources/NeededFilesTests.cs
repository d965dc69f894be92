using System.Text;
using Cluster.Tests.Shared.Fuzzing;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

public class NeededFilesTests
{
    private const string Page = "http://hub/test/model";

    private static readonly TextMutator Mutator = new();

    private static readonly HubModel Model = new("test/model", "main");

    [Fact]
    public void One_weight_file_makes_index_and_other_forms_superfluous()
    {
        var listing = Listing(
            "config.json", "model.safetensors", "model.safetensors.index.json", "consolidated.safetensors", "pytorch_model.bin",
            "README.md", "onnx/model.onnx", "original/model.safetensors");

        Assert.Null(NeededFiles.Index(Model, listing, Page));
        Assert.Equal(["config.json", "model.safetensors"], Names(NeededFiles.Of(Model, listing, null)));
    }

    [Fact]
    public void Everything_that_a_tokenizer_may_be_made_of_is_needed()
    {
        string[] names =
        [
            "added_tokens.json", "chat_template.jinja", "chat_template.json", "config.json", "generation_config.json", "merges.txt",
            "model.safetensors", "quantize_config.json", "qwen.tiktoken", "special_tokens_map.json", "tekken.json", "tiktoken.model",
            "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt",
        ];

        Assert.Equal(
            names,
            Names(NeededFiles.Of(
                Model, Listing([.. names, "LICENSE", ".gitattributes", "training_args.json", "sub/config.json", "sub/x.tiktoken"]), null)));
    }

    [Fact]
    public void Without_index_and_usual_name_every_safetensors_file_is_needed()
    {
        var listing = Listing("config.json", "gptq_model-4bit-128g.safetensors");

        Assert.Null(NeededFiles.Index(Model, listing, Page));
        Assert.Equal(["config.json", "gptq_model-4bit-128g.safetensors"], Names(NeededFiles.Of(Model, listing, null)));
    }

    [Theory]
    [InlineData(
        "model.safetensors", "has no config.json, so it is no checkpoint in Hugging Face form; its files are on http://hub/test/model")]
    [InlineData("config.json", "has no weights: no *.safetensors among its 1 files on http://hub/test/model")]
    [InlineData("config.json model-q4.gguf", "has its weights as 'model-q4.gguf' only, and weights are read from safetensors only")]
    [InlineData(
        "config.json pytorch_model-00001-of-00002.bin sub/model.safetensors", "has its weights as 'pytorch_model-00001-of-00002.bin' only")]
    public void A_repository_that_cannot_be_served_says_why(string names, string message)
    {
        var error = Assert.Throws<HubException>(() => NeededFiles.Index(Model, Listing(names.Split(' ')), Page));

        Assert.StartsWith($"hf://test/model@main {message}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("sub/shard.safetensors")]
    [InlineData("missing.safetensors")]
    public void An_index_can_only_name_weight_files_of_the_repository(string shard)
    {
        using var folder = new TemporaryFolder();
        var index = folder.Write(Checkpoint.IndexFile, $$"""{"weight_map": {"a": "{{shard}}"} }""");

        var error = Assert.Throws<HubException>(
            () => NeededFiles.Of(Model, Listing("config.json", Checkpoint.IndexFile, "shard.safetensors", "sub/shard.safetensors"), index));

        Assert.Equal(
            $"hf://test/model@main: 'model.safetensors.index.json' names the shard '{shard}', which is no safetensors file of the "
            + $"repository", error.Message);
    }

    [Fact]
    public void A_mutated_index_is_read_or_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        var original = Encoding.UTF8.GetBytes(
            """{"metadata": {"total_size": 8}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}""");
        var listing = Listing("config.json", Checkpoint.IndexFile, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
        var random = new Random(5);
        var refused = 0;
        Assert.All(Enumerable.Range(0, 2000), n =>
        {
            var index = folder.Write(Checkpoint.IndexFile, Mutator.Mutate(original, random));
            try
            {
                var needed = Names(NeededFiles.Of(Model, listing, index));
                Assert.Equal(needed.Count, needed.Distinct().Count());
            }
            catch (Exception exception) when (exception is CheckpointFormatException or HubException)
            {
                refused++;
                Assert.Contains(Checkpoint.IndexFile, exception.Message, StringComparison.Ordinal);
            }
        });

        Assert.InRange(refused, 1000, 1999);
    }

    private static RepositoryListing Listing(params string[] names) =>
        new(FakeHub.Commit, [.. names.Select(name => new HubFile(name, 1, null))]);

    private static List<string> Names(IEnumerable<HubFile> files) => [.. files.Select(file => file.Name).Order(StringComparer.Ordinal)];
}
