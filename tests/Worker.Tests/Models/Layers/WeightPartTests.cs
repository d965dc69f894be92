using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Quantization;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>Parts of stored tensors come out as the matrices that they are.</summary>
public sealed class WeightPartTests
{
    private const int In = 5;

    private readonly ReferenceBackend _backend = new();

    /// <summary>Type, outputs, inputs; more than one tile of each.</summary>
    public static TheoryData<string, int, int> Shapes { get; } = new()
    {
        { nameof(DType.BF16), 6, 5 },
        { nameof(DType.F16), 70, 131 },
        { nameof(DType.F32), 129, 3 },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void A_transposed_matrix_is_turned(string dtypeName, int outputs, int inputs)
    {
        var stored = HostTensors.Of(
            "w", Enum.Parse<DType>(dtypeName), [.. Enumerable.Range(0, inputs * outputs).Select(i => (float)(i % 97))], inputs, outputs);

        using var turned = new TransposedMatrix(stored, 1, (outputs - 1) / 2, 2);

        var expected = from n in Enumerable.Range(0, (outputs - 1) / 2)
                       from k in Enumerable.Range(0, inputs)
                       select (float)(((k * outputs) + 1 + (2 * n)) % 97);
        Assert.Equal(expected, WeightReader.ReadAll(turned.Tensor));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TransposedMatrix(stored, 1, outputs, 1));
    }

    [Fact]
    public void Parts_of_one_tensor_are_stacked_in_the_order_asked_for()
    {
        var loader = Loader(Numbered("x.weight", 6, In), Numbered("x.bias", 6));

        var linear = loader.Linear("x", [new("x", new Slice(6, 4, 2)), new("x", new Slice(6, 0, 1))], In, bias: true);

        Assert.Equal([.. Rows(4, 2, In), .. Rows(0, 1, In)], Weights(linear));
        Assert.Equal([4f, 5f, 0f], Biases(linear));
    }

    [Fact]
    public void Stored_transposed_a_rank_keeps_its_inputs()
    {
        var loader = Loader(Numbered("x.weight", 4, 6), Numbered("x.bias", 6));

        var linear = loader.Linear("x", [new("x", new Slice(6, 1, 3)) { Transposed = true }], new Slice(4, 2, 2), bias: true);

        // Row n of the result is column 1 + n of the stored rows 2 and 3; the bias belongs to the rank with the first input.
        Assert.Equal([13f, 19f, 14f, 20f, 15f, 21f], Weights(linear));
        Assert.Equal([0f, 0f, 0f], Biases(linear));
    }

    [Fact]
    public void An_experts_every_other_output_is_found_in_the_tensor_of_all()
    {
        var loader = Loader(Numbered("up", 3, 2, 8), Numbered("up_bias", 3, 8));
        WeightPart Part(int offset) =>
            new("up", new Slice(4, 1, 2)) { Transposed = true, Expert = 2, Experts = 3, Step = 2, Offset = offset };

        var linear = loader.Linear("up", [Part(0), Part(1)], 2, bias: true);

        // Expert 2 begins at 32, its second input at 40.
        Assert.Equal([34f, 42f, 36f, 44f, 35f, 43f, 37f, 45f], Weights(linear));
        Assert.Equal([18f, 20f, 19f, 21f], Biases(linear));
        loader.RefuseUnused(_ => false);
    }

    [Fact]
    public void A_tensor_of_another_number_of_experts_is_refused()
    {
        var loader = Loader(Numbered("up", 3, 8, 2));

        var error = Assert.Throws<CheckpointFormatException>(
            () => loader.Linear("up", [new("up", 8) { Expert = 0, Experts = 4 }], 2, bias: false));

        Assert.Contains("'up' has shape [3, 8, 2]; config.json calls for [4, 8, 2]", error.Message);
    }

    /// <summary>Heads of 2, one input; a weight is its row. Ranks of 1, 2 and 4: of 4, two share a key/value head.</summary>
    [Theory, InlineData(0, 1), InlineData(0, 2), InlineData(1, 2), InlineData(1, 4), InlineData(2, 4)]
    public void Heads_of_a_rank_are_found_in_every_layout(int rank, int size)
    {
        var config = ModelConfig.Load(Fixtures.Checkpoint("falcon-new")) with { HeadDim = 2 };
        float[] q = [.. Enumerable.Range(0, 8)], k = [10, 11, 12, 13], v = [20, 21, 22, 23];
        var separate = Parts(QkvLayout.Separate, ("q", q), ("k", k), ("v", v));

        Assert.Equal(separate, Parts(QkvLayout.Stacked, ("qkv", [.. q, .. k, .. v])));
        Assert.Equal(
            separate, Parts(QkvLayout.ByGroup, ("qkv", [.. q[..4], .. k[..2], .. v[..2], .. q[4..], .. k[2..], .. v[2..]])));

        float[] Parts(QkvLayout layout, params (string Name, float[] Values)[] tensors)
        {
            var shard = Shard.Of(config with { QkvLayout = layout }, rank, size);
            var loader = new WeightLoader(
                new MemoryWeights([.. tensors.Select(t => HostTensors.Of(t.Name + ".weight", DType.F32, t.Values, t.Values.Length, 1))]),
                _backend, null)
            { Ranks = size };
            var linear = loader.Linear("qkv", QkvParts.Of(shard, [.. tensors.Select(tensor => tensor.Name)]), 1, bias: false);
            Assert.Equal(size == 4 ? linear.ResidentBytes / 3 * 2 : 0, loader.ReplicatedBytes);
            return Weights(linear);
        }
    }

    [Fact]
    public void A_quantized_matrix_is_cut_between_its_words_only()
    {
        var folder = QuantizedCheckpoints.Folder("gptq");
        const string Layer = "model.layers.1.mlp.up_proj";
        var checkpoint = Checkpoint.Open(folder);
        var loader = new WeightLoader(checkpoint, _backend, null) { Quantization = ModelConfig.Load(folder).Quantization };

        var whole = Weights(loader.Linear(Layer, 384, 128, bias: false));
        var parts = loader.Linear(Layer, [new(Layer, new Slice(384, 64, 8)), new(Layer, new Slice(384, 0, 16))], 128, bias: false);
        var cut = Assert.Throws<CheckpointFormatException>(
            () => loader.Linear(Layer, [new(Layer, new Slice(384, 4, 8))], 128, bias: false));
        var experts = Assert.Throws<CheckpointFormatException>(
            () => loader.Linear(Layer, [new(Layer, 384) { Expert = 0, Experts = 2 }], 128, bias: false));

        Assert.Equal([.. whole[(64 * 128)..(72 * 128)], .. whole[..(16 * 128)]], Weights(parts));
        Assert.Contains($"'{Layer}.qzeros' cannot be cut at outputs 4 and 12: they come in 8s", cut.Message);
        Assert.Contains($"'{Layer}' holds all experts, and config.json quantizes it by gptq; supported: a matrix", experts.Message);
    }

    [Fact]
    public void Decoded_weights_are_those_of_the_quantized_layer()
    {
        var folder = QuantizedCheckpoints.Folder("gptq");
        const string Layer = "model.layers.1.mlp.up_proj";
        var loader = new WeightLoader(Checkpoint.Open(folder), _backend, null)
        {
            Quantization = ModelConfig.Load(folder).Quantization
        };

        var (dtype, values) = loader.Decoded(Layer, new Slice(384, 64, 8), 128);

        Assert.Equal(DType.F32, dtype);
        Assert.Equal(Weights(loader.Linear(Layer, [new(Layer, new Slice(384, 64, 8))], 128, bias: false)), values);
        Assert.Equal(values, Weights(loader.Computed(Layer, dtype, values, 8, 128)));
    }

    private WeightLoader Loader(params HostTensor[] tensors) => new(new MemoryWeights(tensors), _backend, null);

    /// <summary>Elements are their indexes.</summary>
    private static HostTensor Numbered(string name, params int[] shape) => HostTensors.Of(
        name, DType.BF16, [.. Enumerable.Range(0, shape.Aggregate(1, (product, length) => product * length)).Select(i => (float)i)], shape);

    private static IEnumerable<float> Rows(int first, int count, int columns) =>
        Enumerable.Range(first * columns, count * columns).Select(i => (float)i);

    /// <summary>Row by row, seen by multiplying with each unit vector.</summary>
    private float[] Weights(LinearWeight linear)
    {
        var biases = Biases(linear);
        var weights = new float[linear.OutFeatures * linear.InFeatures];
        for (var k = 0; k < linear.InFeatures; k++)
        {
            var column = Multiply(linear, k);
            for (var n = 0; n < column.Length; n++)
            {
                weights[(n * linear.InFeatures) + k] = column[n] - biases[n];
            }
        }

        return weights;
    }

    private float[] Biases(LinearWeight linear) => Multiply(linear, null);

    private float[] Multiply(LinearWeight linear, int? unit)
    {
        var x = _backend.LoadVector(HostTensors.Of(
            "x", DType.F32, [.. Enumerable.Range(0, linear.InFeatures).Select(k => k == unit ? 1f : 0f)], linear.InFeatures));
        var output = _backend.Allocate("y", DType.F32, 1, linear.OutFeatures);
        _backend.Linear(x, linear, output);
        var values = new float[linear.OutFeatures];
        _backend.Download(output, values);
        return values;
    }
}
