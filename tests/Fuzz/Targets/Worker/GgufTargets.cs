using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Tests.Models.Gguf;
using Cluster.Worker.Tokenization;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>GGUF files: head, configuration, tensors, tokenizer.</summary>
internal static class GgufTargets
{
    private const int Hidden = 32;

    public static IFuzzTarget File(string name) => new FileTarget(
        name, "model.gguf", [Bytes().ToBytes(), Scored().ToBytes()],
        new AnyMutator(new ByteMutator(), new GgufMutator()),
        Read);

    /// <summary>Everything that a file promises must be there.</summary>
    private static void Read(string path)
    {
        var model = GgufModel.Open(path);
        var weights = model.Weights(model.Config());
        var sum = 0;
        foreach (var tensor in weights.Names.Select(weights.Find))
        {
            for (var row = 0; row < tensor!.Rows; row++)
            {
                foreach (var value in tensor.Row(row))
                {
                    sum += value;
                }
            }

            GC.KeepAlive(tensor);
        }

        GC.KeepAlive(sum);
        if (model.Names.Contains(GgufTokenizer.FileName))
        {
            Tokenizer.Load(path).Encode("a <s> ab", addSpecialTokens: true);
        }
    }

    private static GgufWriter Bytes() => Tensors(4, Head()
        .Add("tokenizer.ggml.model", "gpt2")
        .Add("tokenizer.ggml.pre", "gpt-2")
        .Add("tokenizer.ggml.tokens", ["a", "b", "ab", "<s>"])
        .Add("tokenizer.ggml.token_type", [1, 1, 1, 3])
        .Add("tokenizer.ggml.merges", (string[])["a b"])
        .Add("tokenizer.ggml.bos_token_id", 3u)
        .Add("tokenizer.ggml.add_bos_token", true));

    private static GgufWriter Scored() => Tensors(6, Head()
        .Add("tokenizer.ggml.model", "llama")
        .Add("tokenizer.ggml.tokens", ["<unk>", "<s>", "a", "b", "ab", "\u2581"])
        .Add("tokenizer.ggml.scores", [0f, 0f, -1f, -2f, -3f, -4f])
        .Add("tokenizer.ggml.token_type", [2, 3, 1, 1, 1, 1]));

    private static GgufWriter Head() => new GgufWriter()
        .Add("general.architecture", "llama")
        .Add("llama.embedding_length", (uint)Hidden)
        .Add("llama.block_count", 1u)
        .Add("llama.feed_forward_length", (uint)Hidden)
        .Add("llama.attention.head_count", 2u)
        .Add("llama.attention.head_count_kv", 1u)
        .Add("llama.context_length", 16u)
        .Add("llama.attention.layer_norm_rms_epsilon", 1e-5f);

    private static GgufWriter Tensors(int tokens, GgufWriter writer)
    {
        const uint F32 = 0, Q8 = 8;
        writer.AddTensor("token_embd.weight", Q8, new byte[tokens * 34], tokens, Hidden);
        writer.AddTensor("output_norm.weight", F32, new byte[4 * Hidden], Hidden);
        foreach (var (name, rows) in new[]
        {
            ("attn_q", Hidden), ("attn_k", Hidden / 2), ("attn_v", Hidden / 2), ("attn_output", Hidden), ("ffn_gate", Hidden),
            ("ffn_up", Hidden), ("ffn_down", Hidden),
        })
        {
            writer.AddTensor($"blk.0.{name}.weight", Q8, new byte[rows * 34], rows, Hidden);
        }

        foreach (var name in new[] { "attn_norm", "ffn_norm" })
        {
            writer.AddTensor($"blk.0.{name}.weight", F32, new byte[4 * Hidden], Hidden);
        }

        return writer;
    }
}
