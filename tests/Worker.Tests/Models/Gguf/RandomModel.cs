using System.Text;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Quantization;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>A Llama of random weights whose rows are whole superblocks of 256: no checkpoint of the repository's is so wide.</summary>
internal static class RandomModel
{
    public const int Hidden = 256;
    public const int Intermediate = 768;
    public const int Vocabulary = 320;

    public static JsonObject Json() => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = Intermediate,
        ["num_hidden_layers"] = 2,
        ["num_attention_heads"] = 8,
        ["num_key_value_heads"] = 4,
        ["vocab_size"] = Vocabulary,
        ["max_position_embeddings"] = 128,
        ["rms_norm_eps"] = 1e-5,
        ["rope_theta"] = 10000.0,
        ["tie_word_embeddings"] = false,
    };

    public static ModelConfig Config()
    {
        var json = ConfigObject.Parse("config.json", Encoding.UTF8.GetBytes(Json().ToJsonString()));
        return Architecture.Of(json).Read(json);
    }

    public static WeightSource Weights(int seed)
    {
        Random random = new(seed);
        List<HostTensor> tensors = [];
        Matrix("model.embed_tokens", Vocabulary, Hidden);
        Matrix("lm_head", Vocabulary, Hidden);
        Norm("model.norm");
        for (var layer = 0; layer < 2; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            Norm(prefix + "input_layernorm");
            Norm(prefix + "post_attention_layernorm");
            Matrix(prefix + "self_attn.q_proj", Hidden, Hidden);
            Matrix(prefix + "self_attn.k_proj", Hidden / 2, Hidden);
            Matrix(prefix + "self_attn.v_proj", Hidden / 2, Hidden);
            Matrix(prefix + "self_attn.o_proj", Hidden, Hidden);
            Matrix(prefix + "mlp.gate_proj", Intermediate, Hidden);
            Matrix(prefix + "mlp.up_proj", Intermediate, Hidden);
            Matrix(prefix + "mlp.down_proj", Hidden, Intermediate);
        }

        return new MemoryWeights([.. tensors]);

        void Matrix(string name, int rows, int columns) => tensors.Add(HostTensors.Of(
            name + ".weight", DType.F32, HostTensors.Random(random, rows * columns, 2 / MathF.Sqrt(columns)), rows, columns));

        void Norm(string name) => tensors.Add(HostTensors.Of(
            name + ".weight", DType.F32, Array.ConvertAll(HostTensors.Random(random, Hidden, 0.2f), value => 1 + value), Hidden));
    }
}
