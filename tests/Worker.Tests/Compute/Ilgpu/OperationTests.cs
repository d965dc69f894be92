using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Every operation of a device against the scalar reference backend, on small odd shapes. What runs the operations is put to these
/// tests by a class that makes it.</summary>
[Trait(Category.Name, Category.Slow)]
public abstract partial class OperationTests(DeviceFixture fixture)
{
    public static TheoryData<int, int> Shapes => new() { { 1, 1 }, { 3, 7 }, { 2, 64 }, { 5, 130 } };

    public static TheoryData<string> Activations => [.. Enum.GetNames<Activation>()];

    public static TheoryData<string> Floats => [nameof(DType.F32), nameof(DType.F16), nameof(DType.BF16)];

    public static TheoryData<string> Codes => [.. QuantizedMatrices.Kinds];

    [Theory, MemberData(nameof(Shapes))]
    public void Norms_are_those_of_the_reference_also_in_place(int rows, int columns)
    {
        var random = new Random(columns);
        float[] x = [.. HostTensors.Random(random, rows * columns, 3).Select(value => value + 1)];
        float[] addend = HostTensors.Random(random, rows * columns), weight = HostTensors.Random(random, columns);
        var bias = HostTensors.Random(random, columns);

        Same(2e-6, device =>
        {
            var (input, output) = (device.Floats(x, rows, columns), device.Empty(rows, columns));
            device.Backend.RmsNorm(input, device.Floats(weight, 1, columns), 1e-5f, output);
            device.Backend.AddRmsNorm(input, device.Floats(addend, rows, columns), device.Floats(weight, 1, columns), 1e-5f, input);
            return [output, input];
        });
        Same(5e-6, device =>
        {
            var (input, output) = (device.Floats(x, rows, columns), device.Empty(rows, columns));
            Tensor w = device.Floats(weight, 1, columns), b = device.Floats(bias, 1, columns);
            device.Backend.AddLayerNorm(input, device.Floats(addend, rows, columns), w, b, 1e-3f, output);
            device.Backend.LayerNorm(input, w, b, 1e-3f, input);
            return [output, input];
        });
    }

    [Theory, InlineData(2, 16), InlineData(3, 70)]
    public void Heads_are_normalized_one_by_one_and_the_others_left_alone(int rows, int headDim)
    {
        var random = new Random(headDim);
        float[] x = HostTensors.Random(random, rows * 4 * headDim), weight = HostTensors.Random(random, headDim);
        Same(2e-6, device =>
        {
            var heads = device.Floats(x, rows, 4 * headDim);
            device.Backend.RmsNormHeads(heads, 1, 2, device.Floats(weight, 1, headDim), 1e-6f);
            return [heads];
        });
    }

    [Theory, InlineData(2, 16), InlineData(3, 70)]
    public void Heads_are_centred_and_scaled_by_weights_of_their_own(int rows, int headDim)
    {
        var random = new Random(headDim);
        float[] x = HostTensors.Random(random, rows * 4 * headDim), weight = HostTensors.Random(random, 2 * headDim);
        Same(5e-6, device =>
        {
            var heads = device.Floats(x, rows, 4 * headDim);
            device.Backend.LayerNormHeads(heads, 1, 2, device.Floats(weight, 1, 2 * headDim), 1e-5f);
            return [heads];
        });
    }

    [Theory, InlineData(1, 1, 0), InlineData(3, 7, 2), InlineData(2, 64, 5), InlineData(5, 530, 33)]
    public void Squares_of_two_ranks_make_the_norm_of_all_features(int rows, int count, int first)
    {
        var random = new Random(count);
        float[] x = HostTensors.Random(random, rows * (first + count + 1), 2), weight = HostTensors.Random(random, count);
        Same(2e-6, device =>
        {
            var (tensor, sums) = (device.Floats(x, rows, first + count + 1), device.Empty(rows, 2));
            device.Backend.SumSquares(tensor, first, count, sums, 1);
            device.Backend.Add(sums, sums);
            device.Backend.RmsScale(tensor, first, device.Floats(weight, 1, count), sums, 1, 2 * count, 1e-6f);
            return [sums, tensor];
        });
    }

    [Theory, InlineData(0.8f, 1.3f, 0.5f, -1e-6f), InlineData(2.5f, 0.4f, -0.25f, -0.75f)]
    public void Xielu_is_that_of_the_reference(float alphaPositive, float alphaNegative, float beta, float epsilon) => Same(1e-6, device =>
    {
        var x = device.Floats(Ramp, 3, 402);
        device.Backend.Xielu(x, new XieluScalars(alphaPositive, alphaNegative, beta, epsilon));
        return [x];
    });

    [Theory, MemberData(nameof(Activations))]
    public void Activations_are_those_of_the_reference(string name)
    {
        var activation = Enum.Parse<Activation>(name);
        Same(1e-6, device =>
        {
            var (x, gated) = (device.Floats(Ramp, 3, 402), device.Empty(3, 201));
            device.Backend.GatedActivation(x, activation, gated);
            device.Backend.Activate(x, activation);
            return [gated, x];
        });
    }

    [Theory, MemberData(nameof(Activations))]
    public void A_gated_layer_has_the_bits_of_layer_and_activation(string name)
    {
        const int Rows = 5, Half = 40, Inputs = 24;
        var activation = Enum.Parse<Activation>(name);
        var random = new Random(7);
        var device = fixture.Device;
        var x = device.Floats(HostTensors.Random(random, Rows * Inputs, 4), Rows, Inputs);
        var weight = device.Backend.LoadLinear(
            "w", [HostTensors.Of("w", DType.BF16, HostTensors.Random(random, 2 * Half * Inputs), 2 * Half, Inputs)],
            [HostTensors.Of("b", DType.F32, HostTensors.Random(random, 2 * Half), 2 * Half)]);
        Tensor between = device.Empty(Rows, 2 * Half), expected = device.Empty(Rows, Half), output = device.Empty(Rows, Half);
        device.Backend.Linear(x, weight, between);
        device.Backend.GatedActivation(between, activation, expected);
        device.Backend.GatedLinear(x, weight, activation, between, output);

        Assert.Equal(device.Read(expected), device.Read(output));
    }

    [Fact]
    public void Sums_scales_and_soft_caps_are_those_of_the_reference() => Same(1e-6, device =>
    {
        Tensor x = device.Floats(Ramp, 3, 402), sum = device.Floats([.. Ramp.Reverse()], 3, 402), scaled = device.Floats(Ramp, 3, 402);
        device.Backend.Add(sum, x);
        device.Backend.Scale(scaled, 55.5f);
        device.Backend.SoftCap(x, 30);
        return [x, sum, scaled];
    });

    [Theory, MemberData(nameof(Floats))]
    public void Embeddings_are_looked_up_added_and_left_out_where_another_rank_has_them(string dtype)
    {
        var random = new Random(4);
        float[] values = HostTensors.Random(random, 11 * 19), x = HostTensors.Random(random, 4 * 19);
        Same(0, device =>
        {
            var table = device.Backend.LoadEmbedding(HostTensors.Of("table", Enum.Parse<DType>(dtype), values, 11, 19));
            var ids = device.Integers(4, 1, 10, 0, 3, 3);
            Tensor plain = device.Empty(4, 19), added = device.Floats(x, 4, 19), shard = device.Empty(4, 19);
            device.Backend.Embed(ids, table, plain);
            device.Backend.AddEmbedding(ids, table, added);
            device.Backend.EmbedShard(ids, 3, table, shard);
            return [plain, added, shard];
        });
    }

    [Fact]
    public void Rows_are_gathered() => Same(0, device =>
    {
        var output = device.Empty(3, 134);
        device.Backend.GatherRows(device.Floats(Ramp, 9, 134), device.Integers(3, 1, 8, 0, 4), output);
        return [output];
    });

    [Theory]
    [InlineData(nameof(DType.F32), 1, 1, 1)]
    [InlineData(nameof(DType.F32), 5, 70, 36)]
    [InlineData(nameof(DType.BF16), 3, 17, 33)]
    [InlineData(nameof(DType.BF16), 9, 130, 64)]
    [InlineData(nameof(DType.F16), 2, 65, 12)]
    [InlineData(nameof(DType.F16), 1, 3, 31)]
    public void Linear_layers_multiply_stacked_parts_and_add_their_biases(string dtypeName, int rows, int outputs, int inputs)
    {
        var dtype = Enum.Parse<DType>(dtypeName);
        var random = new Random(outputs);
        var x = HostTensors.Random(random, rows * inputs);
        int[] sizes = [outputs, 2];
        HostTensor[] parts = [.. sizes.Select(size => HostTensors.Of("w", dtype, HostTensors.Random(random, size * inputs), size, inputs))];
        HostTensor[] biases = [.. sizes.Select(size => HostTensors.Of("b", DType.F32, HostTensors.Random(random, size), size))];
        Same(1e-6 * (4 + inputs / 8.0), device =>
        {
            var output = device.Empty(rows, outputs + 2);
            device.Backend.Linear(device.Floats(x, rows, inputs), device.Backend.LoadLinear("w", parts, biases), output);
            return [output];
        });
    }

    /// <summary>Whether a layer's format leaves the order of its sums as it is. Matrix cores have another one than the kernels for what
    /// they do not take.</summary>
    private protected virtual bool SumsInOneOrder => true;

    [Theory, MemberData(nameof(Codes))]
    public void Quantized_layers_multiply_by_the_very_weights_of_the_dequantized_ones(string kind)
    {
        const int Rows = 3, Inputs = 43;
        var random = new Random(9);
        QuantizedMatrix[] parts = [.. new[] { 66, 5 }.Select(outputs => QuantizedMatrices.Random(kind, random, outputs, Inputs))];
        var x = HostTensors.Random(random, Rows * Inputs);
        var plain = parts.Select(part => HostTensors.Of("w", DType.F32, QuantizedMatrices.Dequantize(part), part.OutFeatures, Inputs));
        var output = fixture.Device.Empty(Rows, 71);
        var expected = fixture.Device.Empty(Rows, 71);
        var input = fixture.Device.Floats(x, Rows, Inputs);

        fixture.Device.Backend.Linear(input, fixture.Device.Backend.LoadLinear("w", parts), output);
        fixture.Device.Backend.Linear(input, fixture.Device.Backend.LoadLinear("w", [.. plain]), expected);

        if (SumsInOneOrder)
        {
            Assert.Equal(fixture.Device.Read(expected), fixture.Device.Read(output));
        }

        Same(1e-4, device =>
        {
            var result = device.Empty(Rows, 71);
            device.Backend.Linear(device.Floats(x, Rows, Inputs), device.Backend.LoadLinear("w", parts), result);
            return [result];
        });
    }

    [Fact]
    public void A_row_of_a_linear_layer_has_the_same_bits_alone_and_in_any_batch()
    {
        const int Rows = 21, Outputs = 70, Inputs = 100;
        var random = new Random(3);
        var x = HostTensors.Random(random, Rows * Inputs);
        var device = fixture.Device;
        var weight = device.Backend.LoadLinear(
            "w", [HostTensors.Of("w", DType.BF16, HostTensors.Random(random, Outputs * Inputs), Outputs, Inputs)]);
        float[] Multiply(int first, int count)
        {
            var output = device.Empty(count, Outputs);
            device.Backend.Linear(device.Floats(x[(first * Inputs)..((first + count) * Inputs)], count, Inputs), weight, output);
            return device.Read(output);
        }

        float[] alone = [.. Enumerable.Range(0, Rows).SelectMany(row => Multiply(row, 1))];

        Assert.Equal(alone, Multiply(0, Rows));
        Assert.Equal(alone[(3 * Outputs)..(8 * Outputs)], Multiply(3, 5));
    }

    [Theory, InlineData(nameof(DType.BF16)), InlineData("4 bits"), InlineData("4 bits, act-order"), InlineData("fp8")]
    public void Routed_rows_are_multiplied_by_their_own_expert_and_summed(string kind)
    {
        const int Tokens = 7, NumExperts = 5, Chosen = 2, Inputs = 37, Outputs = 21;
        var random = new Random(6);
        float[] x = HostTensors.Random(random, Tokens * Inputs), logits = HostTensors.Random(random, Tokens * NumExperts, 4);
        logits[3] = logits[4];
        var plain = Enumerable.Range(0, NumExperts).Select(_ => HostTensors.Random(random, Outputs * Inputs)).ToArray();
        var codes = kind == nameof(DType.BF16)
            ? []
            : Enumerable.Range(0, NumExperts).Select(_ => QuantizedMatrices.Random(kind, random, Outputs, Inputs)).ToArray();
        foreach (var scoring in new[] { ExpertScoring.SoftmaxOfChosen, ExpertScoring.Softmax })
        {
            Same(3e-5, device =>
            {
                var experts = device.Backend.LoadExperts("experts", [.. Enumerable.Range(0, NumExperts).Select(i => codes.Length == 0
                    ? device.Backend.LoadLinear("w", [HostTensors.Of("w", DType.BF16, plain[i], Outputs, Inputs)])
                    : device.Backend.LoadLinear("w", [codes[i]]))]);
                var chosen = device.Integers(Tokens, Chosen, new int[Tokens * Chosen]);
                Tensor weights = device.Empty(Tokens, Chosen), routed = device.Empty(Tokens * Chosen, Outputs);
                var sums = device.Empty(Tokens, Outputs);
                device.Backend.RouteToExperts(device.Floats(logits, Tokens, NumExperts), new(scoring), null, chosen, weights);
                device.Backend.ExpertLinear(device.Floats(x, Tokens, Inputs), chosen, experts, routed);
                device.Backend.SumExperts(routed, weights, sums);
                return [weights, routed, sums];
            });
        }
    }

    [Theory, InlineData(1, 3), InlineData(7, 2), InlineData(21, 5)]
    public void Every_head_is_multiplied_by_its_own_matrix(int tokens, int numHeads)
    {
        const int Inputs = 37, Outputs = 21;
        var random = new Random(tokens);
        var x = HostTensors.Random(random, tokens * numHeads * Inputs);
        var matrices = Enumerable.Range(0, numHeads).Select(_ => HostTensors.Random(random, Outputs * Inputs)).ToArray();
        Same(1e-5, device =>
        {
            var heads = device.Backend.LoadExperts("heads", [.. matrices.Select(
                matrix => device.Backend.LoadLinear("w", [HostTensors.Of("w", DType.F32, matrix, Outputs, Inputs)]))]);
            var output = device.Empty(tokens, numHeads * Outputs);
            device.Backend.HeadLinear(device.Floats(x, tokens, numHeads * Inputs), heads, output);
            return [output];
        });
    }

    [Fact]
    public void Tensors_of_another_shape_are_refused_by_name()
    {
        var device = fixture.Device;
        var refused = Assert.Throws<ArgumentException>(
            () => device.Backend.RmsNorm(device.Empty(2, 8), device.Empty(1, 7), 1e-5f, device.Empty(2, 8)));

        Assert.Equal("output:F32[1,7] given where F32[1,8] is needed", refused.Message);
    }

    /// <summary>Every magnitude.</summary>
    private static float[] Ramp { get; } = [.. Enumerable.Range(0, 3 * 402).Select(i => (i - 603) * 0.02f)];

    /// <summary>Runs operations on the reference and on the device, and compares what they leave.</summary>
    private void Same(double tolerance, Func<BackendUnderTest, Tensor[]> operations)
    {
        using var reference = new BackendUnderTest(new ReferenceBackend());
        var expected = operations(reference).Select(reference.Read).ToArray();
        var actual = operations(fixture.Device).Select(fixture.Device.Read).ToArray();
        Assert.Equal(expected.Length, actual.Length);
        for (var tensor = 0; tensor < expected.Length; tensor++)
        {
            for (var i = 0; i < expected[tensor].Length; i++)
            {
                var bound = tolerance * Math.Max(1, Math.Abs(expected[tensor][i]));
                Assert.True(
                    Math.Abs(expected[tensor][i] - actual[tensor][i]) <= bound,
                    $"tensor {tensor}, element {i}: {actual[tensor][i]} where the reference has {expected[tensor][i]}");
            }
        }
    }
}
