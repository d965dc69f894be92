using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

public sealed class ModelShapeTests
{
    public static TheoryData<string> Published => [.. PublishedModels.Names];

    [Theory, MemberData(nameof(Published))]
    public void Counts_the_parameters_that_the_publisher_states(string model)
    {
        // Where the statement is a round number, it is met to one per cent.
        var (stated, tower, isExact) = PublishedModels.Parameters(model);
        var counted = PublishedModels.Shape(model).Parameters;
        Assert.InRange(counted + tower, isExact ? stated : (long)(0.99 * stated), isExact ? stated : (long)(1.01 * stated));
    }

    [Theory, MemberData(nameof(Published))]
    public void Slices_add_up_to_the_whole_and_what_every_rank_has_twice(string model)
    {
        var shape = PublishedModels.Shape(model);
        Assert.True(shape.WeightBytes == 2 * shape.Parameters || shape.Format != WeightFormat.Plain);
        Assert.All(shape.Degrees(shape.KvHeads), degree =>
        {
            var replicated = (shape.WeightBytesOn(degree) * degree) - shape.WeightBytes;
            Assert.InRange(replicated, 0, degree * shape.WeightBytes / 50);
        });
    }

    [Theory]
    [InlineData("Llama-3.1-8B", "1, 2, 4, 8, 16, 32")]
    [InlineData("Llama-3.1-70B", "1, 2, 4, 8, 16, 32, 64")]
    [InlineData("Qwen2-7B", "1, 2, 4")]
    [InlineData("Yi-34B", "1, 2, 4, 8")]
    [InlineData("BLOOM-176B", "1, 2, 4, 7, 8, 14, 16, 28, 56")]
    [InlineData("Phi-2", "1, 2, 4, 8, 16, 32")]
    [InlineData("Phi-4", "1, 2, 5, 10, 20, 40")]
    [InlineData("Qwen3-235B-A22B", "1, 2, 4, 8, 16, 32, 64")]
    [InlineData("MiniMax-M2", "1, 2, 4, 8, 16, 24, 48")] // 1536 columns are 12 blocks of 128: a cut may go through one.
    [InlineData("gpt-oss-120b", "1, 2, 4, 8, 16, 32, 64")]
    [InlineData("Kimi-K2", "1, 2, 4, 8, 16, 32, 64")]
    public void Can_be_split_where_heads_and_columns_divide(string model, string degrees) =>
    Assert.Equal(degrees, string.Join(", ", PublishedModels.Shape(model).Degrees(64)));

    [Fact]
    public void A_group_of_quantized_weights_stays_whole()
    {
        var config = PublishedModels.Config("Qwen2-7B");
        config["quantization_config"] = new JsonObject { ["quant_method"] = "gptq", ["bits"] = 4, ["group_size"] = 128 };

        // 18944 inputs are 148 groups of 128, and 3584 are 28: both divide by 4. Groups of 1024 do not.
        Assert.Equal([1, 2, 4], ModelShapeReader.Read(config).Degrees(8));
        config["quantization_config"]!["group_size"] = 512;
        Assert.Equal([1], ModelShapeReader.Read(config).Degrees(8));
    }

    [Theory, InlineData("fp8", 1.0), InlineData("int8", 1.0), InlineData("none", 2.0), InlineData(null, 2.0)]
    public void Weights_that_workers_round_shrink_but_not_those_that_are_quantized(string? requested, double bytesPerWeight)
    {
        var config = PublishedModels.Config("Llama-3.1-8B");
        const double Linear = 32 * ((4096 * (4096 + 1024 + 1024 + 4096.0)) + (3 * 4096 * 14336.0));
        var rest = PublishedModels.Shape("Llama-3.1-8B").Parameters - Linear;
        Assert.InRange(ModelShapeReader.Read(config, requested).WeightBytes / ((Linear * bytesPerWeight) + (2 * rest)), 0.9999, 1.001);

        config["quantization_config"] = JsonNode.Parse("""{"quant_method": "awq", "bits": 4, "group_size": 64}""");
        Assert.Equal(ModelShapeReader.Read(config).WeightBytes, ModelShapeReader.Read(config, requested).WeightBytes);
    }

    [Theory]
    [InlineData("""{"quant_method": "fp8"}""", 1.0)]
    [InlineData("""{"quant_method": "gptq", "bits": 4, "group_size": 128}""", 0.5 + (2.5 / 128))]
    [InlineData("""{"quant_method": "awq", "bits": 4, "group_size": 64}""", 0.5 + (2.5 / 64))]
    [InlineData("""{"quant_method": "gptq", "bits": 8, "group_size": -1}""", 1.0)]
    [InlineData("""{"quant_method": "squeezellm", "wbits": 4}""", 0.5)]
    public void Quantization_shrinks_linear_layers_and_leaves_the_embedding_alone(string quantization, double bytesPerWeight)
    {
        var config = PublishedModels.Config("Llama-3.1-8B");
        config["quantization_config"] = JsonNode.Parse(quantization);
        const double Linear = 32 * ((4096 * (4096 + 1024 + 1024 + 4096.0)) + (3 * 4096 * 14336.0));
        var rest = PublishedModels.Shape("Llama-3.1-8B").Parameters - Linear;

        // What an output or input has once is not in it.
        Assert.InRange(ModelShapeReader.Read(config).WeightBytes / ((Linear * bytesPerWeight) + (2 * rest)), 1, 1.01);
    }

    [Fact]
    public void What_the_checkpoint_says_of_its_size_counts_more_than_the_formula()
    {
        var shape = PublishedModels.Shape("Llama-3.1-8B") with { CheckpointBytes = 20_000_000_000 };
        Assert.Equal(20_000_000_000, shape.WeightBytes);
        Assert.InRange(shape.WeightBytesOn(4), 5_000_000_000, 5_010_000_000);
    }

    [Fact]
    public void A_token_takes_as_many_bytes_as_it_has_keys_and_values()
    {
        var shape = PublishedModels.Shape("Llama-3.1-70B");
        Assert.Equal(2 * 80 * 8 * 128 * 2, shape.KvBytesPerTokenOn(1, 2));
        Assert.Equal(2 * 80 * 1 * 128 * 1, shape.KvBytesPerTokenOn(8, 1));
        Assert.Equal(shape.KvBytesPerTokenOn(8, 2), shape.KvBytesPerTokenOn(16, 2)); // A copy of the head on every second rank.
    }

    [Fact]
    public void A_latent_cache_is_whole_on_every_GPU()
    {
        var shape = PublishedModels.Shape("DeepSeek-V3");
        Assert.Equal((512 + 64) * 61 * 2, shape.KvBytesPerTokenOn(1, 2));
        Assert.Equal(shape.KvBytesPerTokenOn(1, 2), shape.KvBytesPerTokenOn(8, 2));
        Assert.Equal([1, 2, 4, 8, 16], shape.Degrees(16));
    }

    [Fact]
    public void A_layer_with_a_window_holds_no_more_than_that_and_what_a_step_adds()
    {
        var shape = PublishedModels.Shape("Gemma-3-27B");
        var layer = 2 * 16 * 128 * 2;
        Assert.Equal(10, shape.Windows.Count(w => w == 0));

        // Groups of ten layers: one that sees all, six with windows, the last of which is padded. Blocks have 16 tokens.
        Assert.Equal(70L * layer, shape.KvBytesPerTokenOn(1, 2));
        Assert.Equal(70L * 1008 * layer, shape.KvBytesOn(1, 2, 1000, 2048));
        Assert.Equal((2048L + (6 * 193)) * 16 * 10 * layer, shape.KvBytesOn(1, 2, 32768, 2048));

        // A window that no sequence fills is none.
        Assert.Equal(
            PublishedModels.Shape("Mistral-7B").KvBytesOn(1, 2, 32768, 2048),
            (PublishedModels.Shape("Mistral-7B") with { Windows = [.. Enumerable.Repeat(32768, 32)] }).KvBytesOn(1, 2, 32768, 2048));

        // Llama 4 attends in chunks on three layers of four.
        Assert.Equal(12, PublishedModels.Shape("Llama-4-Scout").Windows.Count(w => w == 0));
    }

    [Fact]
    public void Layers_that_a_checkpoint_leaves_unquantized_count_whole()
    {
        var config = PublishedModels.Config("Llama-3.1-8B");
        var plain = ModelShapeReader.Read(config).WeightBytes;
        const long OneMlp = 3L * 4096 * 14336;
        long Saved(string ignored)
        {
            config["quantization_config"] = JsonNode.Parse(
                $$"""{"quant_method": "fp8", "modules_to_not_convert": {{ignored}}}""");
            return plain - ModelShapeReader.Read(config).WeightBytes;
        }

        var all = Saved("""["lm_head"]""");
        Assert.Equal(all - OneMlp, Saved("""["model.layers.3.mlp"]"""));
        Assert.Equal(all - (2 * OneMlp), Saved("""["model.layers.3.mlp", "re:.*layers\\.31\\.mlp.*"]"""));
        Assert.Equal(32 * OneMlp, Saved("""["model.layers.*.self_attn"]"""));
        Assert.Equal(32 * OneMlp, Saved("""["self_attn"]"""));
        Assert.Equal(0, Saved("""["re:.*"]"""));
    }

    [Theory]
    [InlineData("""{"hidden_size": 1}""", "no model_type")]
    [InlineData(
        """{"model_type": "mamba", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 9, "max_position_embeddings": 8}""", "model_type 'mamba' is none whose memory is known; supported: Yi, apertus, arcee, bloom")]
    [InlineData("""{"model_type": "llama"}""", "has no hidden_size")]
    [InlineData("""{"model_type": "llama", "hidden_size": "4096"}""", "hidden_size is \"4096\"; it must be an integer from 1")]
    [InlineData("""{"model_type": "llama", "hidden_size": 0}""", "hidden_size is 0")]
    [InlineData("""{"model_type": "llama", "hidden_size": 1e30}""", "it must be an integer")]
    [InlineData(
        """{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "num_key_value_heads": 3}""",
        "num_attention_heads 4 is no multiple of num_key_value_heads 3")]
    [InlineData(
        """{"model_type": "llama", "hidden_size": 65, "num_attention_heads": 4, "num_hidden_layers": 1}""",
        "no multiple of num_attention_heads 4")]
    [InlineData("""{"model_type": "gemma3", "hidden_size": 64}""", "a gemma3 checkpoint has its text model in text_config")]
    [InlineData(
        """{"model_type": "gemma3", "text_config": {"model_type": "mamba"}}""", "model_type 'mamba' is none whose memory is known")]
    [InlineData(
        """{"model_type": "gemma2", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 8, "vocab_size": 9, "max_position_embeddings": 8, "sliding_window": 4, "layer_types": ["full_attention", "linear_attention"]}""",
        "layer_types is [\"full_attention\",\"linear_attention\"]; it must be a list of 2, each one of full_attention, sliding_attention")]
    public void A_configuration_that_cannot_be_counted_is_refused_with_the_field(string config, string message) =>
        Assert.Contains(
            message, Assert.Throws<ModelConfigException>(() => ModelShapeReader.Read(JsonNode.Parse(config)!.AsObject())).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"quant_method": "bitsandbytes"}""", "'bitsandbytes' is none whose memory is known")]
    [InlineData("""{"quant_method": "gptq", "bits": 64}""", "quantization_config.bits is 64; supported: 4, 8")]
    [InlineData("""{"quant_method": "fp8", "weight_block_size": [128]}""", "weight_block_size is [128]; supported: a list of outputs and inputs")]
    [InlineData("""{"quant_method": "fp8", "ignored_layers": ["re:("]}""", "'re:(' is no regular expression")]
    [InlineData(
        """{"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp4"}}}""",
        "quantization_config.global_quant_config.weight.dtype is \"fp4\"; supported: fp8_e4m3")]
    [InlineData(
        """{"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}""",
        "format is \"nvfp4-pack-quantized\"; supported: float-quantized, pack-quantized, int-quantized")]
    [InlineData("""{"quant_method": "compressed-tensors", "format": "pack-quantized"}""", "config_groups is missing; supported: a group")]
    [InlineData(
        """{"quant_method": "compressed-tensors", "format": "float-quantized", "sparsity_config": {"format": "sparse-24-bitmask"}}""",
        "supported: weights without sparsity")]
    public void A_quantization_that_cannot_be_counted_is_refused(string quantization, string message)
    {
        var config = PublishedModels.Config("Yi-34B");
        config["quantization_config"] = JsonNode.Parse(quantization);
        Assert.Contains(
            message, Assert.Throws<ModelConfigException>(() => ModelShapeReader.Read(config)).Message, StringComparison.Ordinal);
    }
}
