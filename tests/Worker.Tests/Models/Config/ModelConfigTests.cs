using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Tests.Models.Config;

public sealed class ModelConfigTests
{
    private const string Minimal = """
        {"architectures":["LlamaForCausalLM"],"vocab_size":320,"hidden_size":64,"intermediate_size":160,"num_hidden_layers":3,
         "num_attention_heads":4,"max_position_embeddings":256}
        """;

    /// <summary>Field, its JSON value (null removes it) and what the error must say.</summary>
    public static TheoryData<string, string?, string> Wrong { get; } = new()
    {
        { "architectures", null, "'architectures' is missing; supported: LlamaForCausalLM" },
        { "architectures", "[]", "'architectures' is missing" },
        { "architectures", "\"LlamaForCausalLM\"", "'architectures' is \"LlamaForCausalLM\"; expected a list of strings" },
        { "architectures", "[\"T5ForConditionalGeneration\"]", "names T5ForConditionalGeneration; supported: LlamaForCausalLM" },
        { "vocab_size", null, "'vocab_size' is missing" },
        { "vocab_size", "null", "'vocab_size' is missing" },
        { "vocab_size", "0", "'vocab_size' is 0; expected 1 to 4194304" },
        { "vocab_size", "-5", "'vocab_size' is -5; expected 1 to" },
        { "vocab_size", "99999999999999999999", "expected a whole number" },
        { "vocab_size", "\"320\"", "'vocab_size' is \"320\"; expected a whole number" },
        { "hidden_size", "64.5", "'hidden_size' is 64.5; expected a whole number" },
        { "hidden_size", "2000000000", "expected 1 to 1048576" },
        { "hidden_size", "66", "'hidden_size' is 66; without head_dim it must be a multiple of num_attention_heads 4" },
        { "intermediate_size", null, "'intermediate_size' is missing" },
        { "num_hidden_layers", "1000000", "'num_hidden_layers' is 1000000; expected 1 to 1024" },
        { "num_attention_heads", "[4]", "'num_attention_heads' is [4]; expected a whole number" },
        { "num_key_value_heads", "3", "'num_attention_heads' is 4; it must be a multiple of num_key_value_heads 3" },
        { "num_key_value_heads", "0", "'num_key_value_heads' is 0" },
        { "head_dim", "15", "rotates 15 dimensions" },
        { "head_dim", "4096", "'head_dim' is 4096; expected 1 to 1024" },
        { "max_position_embeddings", null, "'max_position_embeddings' is missing" },
        { "rms_norm_eps", "0", "'rms_norm_eps' is 0; expected above 0" },
        { "rms_norm_eps", "1e999", "'rms_norm_eps' is 1e999; expected above 0" },
        { "rms_norm_eps", "\"small\"", "'rms_norm_eps' is \"small\"; expected a number" },
        { "hidden_act", "\"mish\"", "'hidden_act' is 'mish'; supported: silu" },
        { "tie_word_embeddings", "1", "'tie_word_embeddings' is 1; expected true or false" },
        { "attention_bias", "\"yes\"", "'attention_bias' is \"yes\"; expected true or false" },
        { "mlp_bias", "0", "'mlp_bias' is 0; expected true or false" },
        { "dtype", "\"int4\"", "'dtype' is 'int4'; supported: bfloat16" },
        { "torch_dtype", "7", "'torch_dtype' is 7; expected a string" },
        { "eos_token_id", "\"2\"", "expected a token id or a list" },
        { "eos_token_id", "[1,\"2\"]", "expected a token id or a list" },
        { "rope_theta", "1", "'rope_theta' is 1; it must be above 1" },
        { "rope_theta", "-3", "'rope_theta' is -3; expected above 0" },
        { "partial_rotary_factor", "1.5", "'partial_rotary_factor' is 1.5; expected above 0 and at most 1" },
        { "rope_scaling", "\"linear\"", "'rope_scaling' is \"linear\"; expected an object" },
        { "rope_scaling", """{"type":"ntk"}""", "'rope_scaling.rope_type' is 'ntk'; supported: default, linear, dynamic, "
            + "llama3, yarn" },
        { "rope_scaling", """{"type":"linear"}""", "'rope_scaling.factor' is missing" },
        { "rope_scaling", """{"type":"linear","factor":0.5}""", "'rope_scaling.factor' is 0.5; it must be at least 1" },
        { "rope_parameters", """{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4}""", "'rope_parameters.high_freq_factor' is 4; it must be above low_freq_factor 4" },
        { "rope_parameters", """{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4}""", "'rope_parameters.original_max_position_embeddings' is missing" },
        { "rope_parameters", """{"rope_type":"yarn","factor":8,"beta_fast":1,"beta_slow":32}""", "'rope_parameters.beta_fast' is 1; it "
            + "must not be below beta_slow 32" },
        { "quantization_config", """{"quant_method":"bitsandbytes"}""", "'quantization_config.quant_method' is 'bitsandbytes'; "
            + "supported: fp8, compressed-tensors, gptq, awq, squeezellm" },
    };

    [Theory, MemberData(nameof(Wrong))]
    public void A_wrong_field_is_refused_by_file_name_and_value(string field, string? value, string reason)
    {
        using var folder = new TemporaryFolder();
        var json = JsonNode.Parse(Minimal)!.AsObject();
        json.Remove(field);
        var text = value is null ? json.ToJsonString() : json.ToJsonString().TrimEnd('}') + $",\"{field}\":{value}}}";
        var path = folder.Write("config.json", text);

        var error = Assert.Throws<ModelConfigException>(() => ModelConfig.Load(folder.Path));

        Assert.StartsWith(path, error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "must hold an object, not a list")]
    [InlineData("null", "must hold an object, not null")]
    public void A_file_that_is_no_object_is_refused(string text, string reason)
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", text);

        Assert.Contains(reason, Assert.Throws<ModelConfigException>(() => ModelConfig.Load(folder.Path)).Message);
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains("config.json: does not exist", Assert.Throws<ModelConfigException>(() => ModelConfig.Load(folder.Path)).Message);
    }

    [Fact]
    public void Fields_that_may_be_missing_take_the_defaults_of_transformers()
    {
        var config = Read(Minimal);

        Assert.Equal((4, 16), (config.NumKvHeads, config.HeadDim));
        Assert.Equal(1e-6f, config.NormEpsilon);
        Assert.Equal(Activation.Silu, config.Activation);
        Assert.Equal(new RopeParameters(10_000, 16, 256, new RopeScaling()), config.Rope);
        Assert.False(config.TieWordEmbeddings || config.QkvBias || config.AttentionOutputBias || config.MlpBias);
        Assert.Null(config.DType);
        Assert.Empty(config.EosTokenIds);
        Assert.Equal(256, config.MaxLength);
    }

    [Fact]
    public void The_old_spelling_is_understood()
    {
        var config = ModelConfig.Load(Fixtures.Checkpoint("llama3.1"));

        Assert.Equal(
            (320, 64, 160, 3, 4, 2, 16),
            (config.VocabSize, config.HiddenSize, config.IntermediateSize, config.NumLayers, config.NumHeads, config.NumKvHeads,
                config.HeadDim));
        Assert.Equal(
            new RopeParameters(500_000, 16, 64, new Llama3RopeScaling { Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4 }),
            config.Rope);
        Assert.Equal(256, config.MaxLength);
        Assert.Equal(DType.BF16, config.DType);
        Assert.Equal([2], config.EosTokenIds);
    }

    [Fact]
    public void The_new_spelling_is_understood()
    {
        var config = ModelConfig.Load(Fixtures.Checkpoint("llama-tied"));

        Assert.Equal(new RopeParameters(10_000, 32, 256, new RopeScaling()), config.Rope);
        Assert.Equal(DType.BF16, config.DType);
        Assert.True(config.TieWordEmbeddings && config.QkvBias && config.AttentionOutputBias && !config.MlpBias);
        Assert.Equal((256, 128), (config.QkvSize, config.AttentionSize));
    }

    [Fact]
    public void Both_spellings_give_the_same_model()
    {
        var common = Minimal.TrimEnd().TrimEnd('}');
        var older = Read(common + ""","torch_dtype":"float16","rope_theta":5000,"rope_scaling":{"type":"linear","factor":2}}""");
        var newer = Read(common + ""","dtype":"float16","rope_parameters":{"rope_theta":5000,"rope_type":"linear","factor":2}}""");

        Assert.Equal(older.Rope, newer.Rope);
        Assert.Equal(older.DType, newer.DType);
        Assert.Equal(512, newer.MaxLength);
    }

    [Theory]
    [InlineData("2", null, new[] { 2 })]
    [InlineData("[5, 2]", null, new[] { 2, 5 })]
    [InlineData("2", "{}", new[] { 2 })]
    [InlineData("2", """{"eos_token_id":0}""", new[] { 0, 2 })]
    [InlineData("[2]", """{"eos_token_id":[7,2,0]}""", new[] { 0, 2, 7 })]
    [InlineData("null", """{"eos_token_id":[3]}""", new[] { 3 })]
    [InlineData("-1", null, new int[0])]
    [InlineData("0", """{"eos_token_id":[-1, 4]}""", new[] { 0, 4 })]
    [InlineData("null", """{"eos_token_id":null}""", new int[0])]
    public void End_of_sequence_tokens_are_those_of_both_files(string config, string? generation, int[] expected)
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", Minimal.TrimEnd().TrimEnd('}') + $",\"eos_token_id\":{config}}}");
        if (generation is not null)
        {
            folder.Write("generation_config.json", generation);
        }

        Assert.Equal(expected, ModelConfig.Load(folder.Path).EosTokenIds);
    }

    [Fact]
    public void A_broken_generation_config_is_named()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", Minimal);
        var path = folder.Write("generation_config.json", "{\"eos_token_id\":true}");

        Assert.StartsWith(path, Assert.Throws<ModelConfigException>(() => ModelConfig.Load(folder.Path)).Message);
    }

    private static ModelConfig Read(string json)
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", json);
        return ModelConfig.Load(folder.Path);
    }
}
