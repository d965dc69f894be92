using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Sources;

/// <summary>Writes a <see cref="SyntheticModel"/> as a GGUF file, as llama.cpp's converter would: other names, all experts in one tensor,
/// rows of query and key heads in turns, Llama 3's rotation as a tensor of factors. Matrices are in one type throughout, vectors and
/// routers in F32.</summary>
internal sealed class SyntheticGguf
{
    private const string Prefix = "llama.";

    /// <summary>Bytes that are encoded at once.</summary>
    private const int ChunkBytes = 16 << 20;

    private readonly GgufFileWriter _writer = new();
    private readonly ModelConfig _config;
    private readonly SyntheticWeights _weights;
    private readonly GgufType _type;

    private SyntheticGguf(SyntheticModel model, GgufType type)
    {
        (_config, _weights, _type) = (model.Config, (SyntheticWeights)model.Weights(), type);
        WriteKeys(model);
        WriteTokens(model.Shape.Vocabulary);
        AddTensors(_config.Architecture.WeightNames);
    }

    /// <param name="model">In BF16.</param>
    /// <param name="type">One of <see cref="BlockEncoder.Types"/>.</param>
    /// <exception cref="ArgumentException">The model comes in codes already.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(SyntheticModel model, GgufType type, string path, Action<long, long>? written = null)
    {
        if (model.Twin is not null)
        {
            throw new ArgumentException($"{model.Name} has the codes of another format; name the model without ':{model.Twin.Name}'");
        }

        new SyntheticGguf(model, type)._writer.Write(path, written);
    }

    private void WriteKeys(SyntheticModel model)
    {
        _writer.Add("general.architecture", "llama").Add("general.name", model.Name);
        Add("vocab_size", _config.VocabSize);
        Add("context_length", _config.MaxPositionEmbeddings);
        Add("embedding_length", _config.HiddenSize);
        Add("block_count", _config.NumLayers);
        Add("feed_forward_length", _config.IntermediateSize);
        Add("attention.head_count", _config.NumHeads);
        Add("attention.head_count_kv", _config.NumKvHeads);
        Add("attention.key_length", _config.HeadDim);
        Add("attention.value_length", _config.HeadDim);
        Add("rope.dimension_count", _config.HeadDim);
        _writer.Add(Prefix + "rope.freq_base", (float)_config.Rope!.Theta);
        _writer.Add(Prefix + "attention.layer_norm_rms_epsilon", _config.NormEpsilon);
        if (_config.Moe is { } moe)
        {
            Add("expert_count", moe.NumExperts);
            Add("expert_used_count", moe.ExpertsPerToken);
        }

        void Add(string key, int value) => _writer.Add(Prefix + key, value);
    }

    /// <summary>Numbers are split otherwise than by <see cref="NumberedWords"/>, which no name of the format stands for: ids are the same,
    /// text becomes other ids.</summary>
    private void WriteTokens(int count)
    {
        const int Normal = 1;
        const int Control = 3;
        string[] tokens = [.. NumberedWords.Tokens(count)];
        _writer.Add("tokenizer.ggml.model", "gpt2").Add("tokenizer.ggml.pre", "llama-bpe");
        _writer.Add("tokenizer.ggml.tokens", tokens);
        _writer.Add(
            "tokenizer.ggml.token_type",
            [.. Enumerable.Range(0, count).Select(id => NumberedWords.IsSpecial(id) ? Control : Normal)]);
        _writer.Add("tokenizer.ggml.merges", (string[])[]);
        _writer.Add("tokenizer.ggml.bos_token_id", Array.IndexOf(tokens, NumberedWords.TurnStart));
        _writer.Add("tokenizer.ggml.eos_token_id", Array.IndexOf(tokens, NumberedWords.TurnEnd));
        _writer.Add("tokenizer.ggml.add_bos_token", false);
    }

    private void AddTensors(WeightNames names)
    {
        const string Suffix = ".weight";
        AddMatrix("token_embd", names.Embedding);
        AddVector("output_norm", names.FinalNorm + Suffix);
        if (!_config.TieWordEmbeddings)
        {
            AddMatrix("output", names.Output + Suffix);
        }

        if (_config.Rope!.Scaling is Llama3RopeScaling)
        {
            var factors = RopeFactors();
            _writer.AddTensor(
                GgufWeights.RopeFactors, GgufType.F32, [factors.Length], file => Encode(file, GgufType.F32, 1, factors.Length, (_, row) =>
                    factors.CopyTo(row)));
        }

        for (var layer = 0; layer < _config.NumLayers; layer++)
        {
            var block = $"blk.{layer}.";
            string Named(string name) => names.InLayer(layer, name) + Suffix;
            AddVector(block + "attn_norm", Named(names.AttentionNorm));
            AddMatrix(block + "attn_q", Named(names.Qkv[0]), inTurns: true);
            AddMatrix(block + "attn_k", Named(names.Qkv[1]), inTurns: true);
            AddMatrix(block + "attn_v", Named(names.Qkv[2]));
            AddMatrix(block + "attn_output", Named(names.AttentionOutput));
            AddVector(block + "ffn_norm", Named(names.MlpNorm));
            if (_config.Moe is not { } moe)
            {
                AddMatrix(block + "ffn_gate", Named(names.GateUp[0]));
                AddMatrix(block + "ffn_up", Named(names.GateUp[1]));
                AddMatrix(block + "ffn_down", Named(names.Down));
                continue;
            }

            string[] Experts(string name) =>
                [.. Enumerable.Range(0, moe.NumExperts).Select(expert => Named($"{names.ExpertPrefix}{expert}.{name}"))];
            AddMatrix(block + "ffn_gate_inp", Named(names.Router), type: GgufType.F32);
            AddExperts(block + "ffn_gate_exps", Experts(names.ExpertGateUp[0]));
            AddExperts(block + "ffn_up_exps", Experts(names.ExpertGateUp[1]));
            AddExperts(block + "ffn_down_exps", Experts(names.ExpertDown));
        }
    }

    private void AddVector(string name, string source)
    {
        var vector = _weights.MatrixOf(source);
        _writer.AddTensor(
            name + ".weight", GgufType.F32, [vector.Columns], file => Encode(file, GgufType.F32, 1, vector.Columns, Drawn(vector)));
    }

    private void AddMatrix(string name, string source, bool inTurns = false, GgufType? type = null)
    {
        var matrix = _weights.MatrixOf(source);
        var stored = type ?? _type;
        var draw = Drawn(matrix);
        _writer.AddTensor(
            name + ".weight", stored, [matrix.Rows, matrix.Columns],
            file => Encode(file, stored, matrix.Rows, matrix.Columns, inTurns ? (row, values) => draw(InHalves(row), values) : draw));
    }

    private void AddExperts(string name, string[] sources)
    {
        SyntheticMatrix[] experts = [.. sources.Select(_weights.MatrixOf)];
        var (rows, columns) = (experts[0].Rows, experts[0].Columns);
        _writer.AddTensor(name + ".weight", _type, [experts.Length, rows, columns], file =>
        {
            foreach (var expert in experts)
            {
                Encode(file, _type, rows, columns, Drawn(expert));
            }
        });
    }

    /// <summary>Where transformers has the row that the file has here: x0 y0 x1 y1 … of a head are x0 x1 … y0 y1 … there.</summary>
    private int InHalves(int row)
    {
        var inHead = row % _config.HeadDim;
        return row - inHead + (inHead % 2 * (_config.HeadDim / 2)) + (inHead / 2);
    }

    private static RowSource Drawn(SyntheticMatrix matrix) => (row, values) =>
    {
        var bits = new ushort[matrix.Columns];
        matrix.Draw(row, bits);
        for (var i = 0; i < bits.Length; i++)
        {
            values[i] = SyntheticMatrix.Widened(bits[i]);
        }
    };

    private static void Encode(Stream file, GgufType type, int rows, int columns, RowSource source)
    {
        var rowBytes = columns / type.BlockSize() * type.BlockBytes();
        var chunk = Math.Clamp(ChunkBytes / rowBytes, 1, rows);
        var buffer = new byte[chunk * rowBytes];
        for (var first = 0; first < rows; first += chunk)
        {
            var count = Math.Min(chunk, rows - first);
            System.Threading.Tasks.Parallel.For(0, count, () => new float[columns], (row, _, values) =>
            {
                source(first + row, values);
                BlockEncoder.Encode(type, values, buffer.AsSpan(row * rowBytes, rowBytes));
                return values;
            }, _ => { });
            file.Write(buffer, 0, count * rowBytes);
        }
    }

    /// <summary>By how much each frequency is divided.</summary>
    private float[] RopeFactors()
    {
        var rope = _config.Rope!;
        var dimensions = rope.RotaryDim;
        double[] plain = [.. Enumerable.Range(0, dimensions / 2).Select(i => Math.Pow(rope.Theta, -2.0 * i / dimensions))];
        double[] scaled = [.. plain];
        rope.Scaling.Scale(rope, _config.MaxPositionEmbeddings, scaled);
        return [.. plain.Zip(scaled, (before, after) => (float)(before / after))];
    }

    private delegate void RowSource(int row, Span<float> values);
}
