using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>A public reader of GGUF files finds in ours what this one does, and llama.cpp goes on as we do.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class GgufSecondOpinionTests
{
    /// <summary>Untrained weights give no text, but in each type the same numbers: llama.cpp rounds inputs to 8 bits where weights come in
    /// blocks, so only the first tokens are compared.</summary>
    [Theory]
    [InlineData("F16", 12)]
    [InlineData("Q8_0", 4)]
    [InlineData("Q4_0", 4)]
    [InlineData("Q4_K", 4)]
    [InlineData("Q5_K", 4)]
    [InlineData("Q6_K", 4)]
    public async Task Llama_cpp_goes_on_as_we_do(string type, int count)
    {
        var modules = await NodePackages.RequireAsync("node-llama-cpp", "@node-llama-cpp/linux-x64");
        using TemporaryFolder folder = new();
        GgufExport export = type == "F16" ? new(Fixtures.Haiku, Fixtures.Haiku) : new(RandomModel.Json(), RandomModel.Weights(1));
        var writer = export.Write(type);
        if (type != "F16")
        {
            GgufTokenizerExport.WriteIds(writer, RandomModel.Vocabulary);
        }

        var path = folder.Write("model.gguf", writer.ToBytes());
        var (config, weights) = ModelLoader.Open(path);
        var prompt = type == "F16"
            ? Tokenizer.Load(path).Encode("<|im_start|>user\nWrite a haiku about the sea<|im_end|>\n<|im_start|>assistant\n", true)
            : [5, 100, 31, 200, 77, 9, 250, 18];

        var result = await CommandLine.RunAsync(
            "node",
            [Path.Combine(RepositoryRoot.Path, "tests", "EndToEnd.Tests", "clients", "llama.mjs"), modules, path, $"{count}",
                string.Join(',', prompt)]);
        Assert.True(result.ExitCode == 0, result.All);
        Assert.Equal(
            Greedy.Continue(config, weights, prompt, count),
            JsonNode.Parse(result.Output.Trim().Split('\n')[^1])!.AsArray().Select(token => token!.GetValue<int>()));
    }

    [Theory, InlineData("F16"), InlineData("Q8_0"), InlineData("Q6_K")]
    public async Task The_npm_reader_finds_the_same_keys_and_tensors(string type)
    {
        var modules = await NodePackages.RequireAsync("@huggingface/gguf");
        using TemporaryFolder folder = new();
        GgufExport export = type == "Q6_K" ? new(RandomModel.Json(), RandomModel.Weights(1)) : new(Fixtures.Haiku, Fixtures.Haiku);
        var path = folder.Write("model.gguf", export.Write(type).ToBytes());
        var file = GgufFile.Open(path);

        var result = await CommandLine.RunAsync(
            "node", [Path.Combine(RepositoryRoot.Path, "tests", "EndToEnd.Tests", "clients", "gguf.mjs"), modules, path]);
        Assert.True(result.ExitCode == 0, result.All);
        var found = JsonNode.Parse(result.Output)!;

        foreach (var tensor in found["tensors"]!.AsArray())
        {
            var ours = file.Tensors.Single(own => own.Name == tensor!["name"]!.GetValue<string>());
            Assert.Equal((int)ours.Type, tensor!["dtype"]!.GetValue<int>());
            Assert.Equal(ours.Shape.Reverse(), tensor["shape"]!.AsArray().Select(length => length!.GetValue<int>()));
            Assert.Equal(ours.Offset - file.Tensors[0].Offset, tensor["offset"]!.GetValue<long>());
        }

        var metadata = found["metadata"]!.AsObject();
        Assert.Equal(file.Tensors.Length, found["tensors"]!.AsArray().Count);
        Assert.Subset(metadata.Select(entry => entry.Key).ToHashSet(), file.Metadata.Keys.ToHashSet());
        Assert.Equal(file.Metadata.Text("general.architecture"), metadata["general.architecture"]!.GetValue<string>());
        Assert.Equal(file.Metadata.Integer("llama.block_count"), metadata["llama.block_count"]!.GetValue<long>());
        Assert.Equal(
            file.Metadata.Texts("tokenizer.ggml.tokens"),
            metadata["tokenizer.ggml.tokens"]?.AsArray().Select(token => token!.GetValue<string>()));
    }
}
