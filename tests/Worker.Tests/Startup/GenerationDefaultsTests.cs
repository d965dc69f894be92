using Cluster.Worker.Engine;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Startup;

public sealed class GenerationDefaultsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("generation").FullName;

    [Fact]
    public void The_checkpoints_file_is_read_and_its_other_fields_are_not()
    {
        Write("""{"temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": null, "repetition_penalty": 1.05, "max_new_tokens": 99, "do_sample": true}""");
        var log = new List<string>();

        Assert.Equal(
            new SamplingDefaults { Temperature = 0.6f, TopK = 20, TopP = 0.95f, RepetitionPenalty = 1.05f, MaxTokens = 99 },
            GenerationDefaults.Load(_folder, "auto", null, log.Add));
        Assert.Contains(
            "temperature 0.6, top_k 20, top_p 0.95, repetition_penalty 1.05, max_new_tokens 99", Assert.Single(log),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("vllm")]
    public void Without_a_file_the_apis_defaults_hold(string source)
    {
        Write("""{"temperature": 0.6}""");

        Assert.Equal(SamplingDefaults.None, GenerationDefaults.Load(_folder, source, null, _ => { }));
        Assert.Equal(SamplingDefaults.None, GenerationDefaults.Load(_folder + "-missing", "auto", null, _ => { }));
    }

    [Fact]
    public void What_the_servers_owner_names_stands_above_and_bounds_the_length()
    {
        Write("""{"temperature": 0.6, "top_k": 20, "max_new_tokens": 99}""");

        Assert.Equal(
            new SamplingDefaults { Temperature = 0, TopK = 20, MaxTokens = 7, MaxTokensLimit = 7 },
            GenerationDefaults.Load("elsewhere", _folder, """{"temperature": 0, "max_new_tokens": 7}""", _ => { }));
        Assert.Equal(99, GenerationDefaults.Load("elsewhere", _folder, null, _ => { }).MaxTokensLimit);
        Assert.Null(GenerationDefaults.Load(_folder, "auto", null, _ => { }).MaxTokensLimit);
    }

    [Theory]
    [InlineData("""{"temperature": "hot"}""", "'temperature' is \"hot\"")]
    [InlineData("""{"temperature": -1}""", "'temperature' is -1")]
    [InlineData("""{"top_k": 1.5}""", "'top_k' is 1.5")]
    [InlineData("""{"top_p": 0}""", "'top_p' is 0")]
    [InlineData("""{"min_p": 2}""", "'min_p' is 2")]
    [InlineData("""{"repetition_penalty": 0}""", "'repetition_penalty' is 0")]
    [InlineData("""{"max_new_tokens": 0}""", "'max_new_tokens' is 0")]
    [InlineData("[]", "object")]
    [InlineData("{", "JSON")]
    public void A_malformed_value_names_file_key_and_value(string json, string says)
    {
        Write(json);
        var file = Assert.Throws<ModelConfigException>(() => GenerationDefaults.Load(_folder, "auto", null, _ => { }));
        var flag = Assert.Throws<ModelConfigException>(() => GenerationDefaults.Load("elsewhere", "none", json, _ => { }));

        Assert.StartsWith(Path.Combine(_folder, "generation_config.json"), file.Message, StringComparison.Ordinal);
        Assert.StartsWith("--override-generation-config", flag.Message, StringComparison.Ordinal);
        Assert.All([file, flag], failure => Assert.Contains(says, failure.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void The_files_end_of_sequence_tokens_count_too()
    {
        Write("""{"eos_token_id": [7, 9]}""");

        Assert.Equal([7, 9], GenerationDefaults.EosTokenIds("elsewhere", _folder));
        Assert.Empty(GenerationDefaults.EosTokenIds(_folder, "none"));
    }

    [Fact]
    public void A_folder_without_the_file_is_named() => Assert.Contains(
        _folder, Assert.Throws<StartupException>(() => GenerationDefaults.Load("elsewhere", _folder, null, _ => { })).Message,
        StringComparison.Ordinal);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Write(string json) => File.WriteAllText(Path.Combine(_folder, "generation_config.json"), json);
}
