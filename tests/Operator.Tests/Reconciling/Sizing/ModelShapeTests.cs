using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

public sealed class ModelShapeTests
{
    public static TheoryData<string> Published => [.. PublishedModels.Names];

    [Theory, MemberData(nameof(Published))]
    public void Counts_the_parameters_that_the_publisher_states(string model) =>
    Assert.Equal(PublishedModels.Parameters(model), PublishedModels.Shape(model).Parameters);

    [Theory, MemberData(nameof(Published))]
    public void Slices_add_up_to_the_whole_and_what_every_rank_has_twice(string model)
    {
        var shape = PublishedModels.Shape(model);
        Assert.Equal(2 * shape.Parameters, shape.WeightBytes);
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
        var rest = PublishedModels.Parameters("Llama-3.1-8B") - Linear;
        Assert.Equal((Linear * bytesPerWeight) + (2 * rest), ModelShapeReader.Read(config).WeightBytes, 1.0);
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

    [Theory]
    [InlineData("""{"hidden_size": 1}""", "no model_type")]
    [InlineData(
        """{"model_type": "mamba", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 9, "max_position_embeddings": 8}""", "model_type 'mamba' is none whose memory is known; supported: llama")]
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
    public void A_configuration_that_cannot_be_counted_is_refused_with_the_field(string config, string message) =>
        Assert.Contains(
            message, Assert.Throws<ModelConfigException>(() => ModelShapeReader.Read(JsonNode.Parse(config)!.AsObject())).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"quant_method": "bitsandbytes"}""", "'bitsandbytes' is none whose memory is known")]
    [InlineData("""{"quant_method": "gptq", "bits": 64}""", "quantization_config.bits is 64; supported: 4, 8")]
    public void A_quantization_that_cannot_be_counted_is_refused(string quantization, string message)
    {
        var config = PublishedModels.Config("Yi-34B");
        config["quantization_config"] = JsonNode.Parse(quantization);
        Assert.Contains(
            message, Assert.Throws<ModelConfigException>(() => ModelShapeReader.Read(config)).Message, StringComparison.Ordinal);
    }
}
