using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Rows;

public class ExpertTests
{
    private const int In = 37;
    private const int Out = 41;

    [Theory]
    [InlineData(1, 1, 1, true)]
    [InlineData(3, 8, 2, true)]
    [InlineData(5, 8, 2, false)]
    [InlineData(70, 13, 4, true)]
    [InlineData(70, 13, 13, false)]
    public void Routing_matches_the_scalar_twin(int tokens, int count, int chosen, bool normalize)
    {
        var logits = HostTensors.Random(new Random(count), tokens * count, 4);
        using var device = new CpuDevice(VectorWidth.Bits256, threads: 2);
        Tensor experts = device.Integers(tokens, chosen, new int[tokens * chosen]), weights = device.Empty(tokens, chosen);
        device.Backend.RouteToExperts(device.Floats(logits, tokens, count), normalize, experts, weights);
        var actual = device.Read(weights);
        var actualExperts = ReadIntegers(device, experts, count);
        for (var token = 0; token < tokens; token++)
        {
            var row = logits[(token * count)..((token + 1) * count)];
            var best = Enumerable.Range(0, count).OrderByDescending(expert => row[expert]).Take(chosen).ToArray();
            var sum = (normalize ? best : Enumerable.Range(0, count)).Sum(expert => Math.Exp(row[expert]));
            Assert.Equal(best, actualExperts[(token * chosen)..((token + 1) * chosen)]);
            Assert.All(best, (expert, place) => Assert.Equal(Math.Exp(row[expert]) / sum, actual[token * chosen + place], 1e-6));
        }
    }

    [Fact]
    public void Among_equal_logits_the_lower_expert_comes_first()
    {
        using var device = new CpuDevice(VectorWidth.Scalar);
        Tensor experts = device.Integers(1, 3, 9, 9, 9), weights = device.Empty(1, 3);
        device.Backend.RouteToExperts(device.Floats([1, 2, 1, 2, 1], 1, 5), true, experts, weights);
        Assert.Equal([1, 3, 0], ReadIntegers(device, experts, 5));
    }

    [Fact]
    public void More_experts_than_there_are_cannot_be_chosen()
    {
        using var device = new CpuDevice(VectorWidth.Scalar);
        Assert.Throws<ArgumentException>(
            () => device.Backend.RouteToExperts(device.Empty(1, 2), true, device.Integers(1, 3, 0, 0, 0), device.Empty(1, 3)));
    }

    [Theory, InlineData(1), InlineData(2), InlineData(9), InlineData(50)]
    public void Expert_multiplication_matches_the_scalar_twin(int tokens)
    {
        const int Experts = 5, Chosen = 2;
        var random = new Random(tokens);
        var matrices = Enumerable.Range(0, Experts).Select(_ => HostTensors.Random(random, Out * In)).ToArray();
        var routes = Routes(random, tokens, Experts, Chosen);
        float[] x = HostTensors.Random(random, tokens * In), routedX = HostTensors.Random(random, tokens * Chosen * In);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 2);
            var weights = Load(device, matrices);
            Compare(x, i => i / Chosen, Multiply(device, x, tokens, routes, Chosen, weights));
            Compare(routedX, i => i, Multiply(device, routedX, tokens * Chosen, routes, Chosen, weights));
        });

        void Compare(float[] inputs, Func<int, int> rowOf, float[] actual)
        {
            for (var i = 0; i < routes.Length; i++)
            {
                var expected = ScalarTwin.Linear(inputs[(rowOf(i) * In)..((rowOf(i) + 1) * In)], matrices[routes[i]], null, 1, Out, In);
                Assert.All(expected, (value, n) => Assert.Equal(value, actual[i * Out + n], 1e-5));
            }
        }
    }

    [Fact]
    public void A_token_has_the_same_bits_whatever_is_routed_with_it()
    {
        const int Experts = 4, Chosen = 3, Tokens = 40;
        var random = new Random(3);
        var matrices = Enumerable.Range(0, Experts).Select(_ => HostTensors.Random(random, Out * In)).ToArray();
        var routes = Routes(random, Tokens, Experts, Chosen);
        var x = HostTensors.Random(random, Tokens * In);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 3);
            var weights = Load(device, matrices);
            var together = Multiply(device, x, Tokens, routes, Chosen, weights);
            for (var token = 0; token < Tokens; token++)
            {
                var alone = Multiply(
                    device, x[(token * In)..((token + 1) * In)], 1, routes[(token * Chosen)..((token + 1) * Chosen)], Chosen, weights);
                Assert.Equal(together[(token * Chosen * Out)..((token + 1) * Chosen * Out)], alone);
            }
        });
    }

    [Fact]
    public void An_expert_that_does_not_exist_is_refused()
    {
        using var device = new CpuDevice(VectorWidth.Bits256);
        var weights = Load(device, [new float[Out * In]]);
        var error = Assert.Throws<ArgumentException>(() => Multiply(device, new float[In], 1, [0, 1], 2, weights));
        Assert.Equal("row 1 is routed to expert 1; there are 1", error.Message);
    }

    [Theory, InlineData(1, 1, 5), InlineData(7, 3, 33), InlineData(20, 2, 64)]
    public void Experts_are_summed_by_weight(int tokens, int chosen, int columns)
    {
        var random = new Random(columns);
        float[] x = HostTensors.Random(random, tokens * chosen * columns), weights = HostTensors.Random(random, tokens * chosen);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var output = device.Empty(tokens, columns);
            device.Backend.SumExperts(device.Floats(x, tokens * chosen, columns), device.Floats(weights, tokens, chosen), output);
            var actual = device.Read(output);
            for (var i = 0; i < tokens * columns; i++)
            {
                var expected = Enumerable.Range(0, chosen)
                    .Sum(j => (double)weights[i / columns * chosen + j] * x[(i / columns * chosen + j) * columns + i % columns]);
                Assert.Equal(expected, actual[i], 1e-6);
            }
        });
    }

    [Fact]
    public void A_steady_step_of_experts_allocates_nothing()
    {
        using var device = new CpuDevice(VectorWidth.Bits256, threads: 2);
        var weights = Load(device, [.. Enumerable.Range(0, 4).Select(seed => HostTensors.Random(new Random(seed), Out * In))]);
        Tensor x = device.Empty(3, In), logits = device.Empty(3, 4), scores = device.Empty(3, 2), output = device.Empty(
            6, Out), sum = device.Empty(3, Out);
        var experts = device.Integers(3, 2, new int[6]);
        long before = 0;
        for (var step = 0; step < 20; step++)
        {
            before = step == 10 ? GC.GetAllocatedBytesForCurrentThread() : before;
            device.Backend.RouteToExperts(logits, true, experts, scores);
            device.Backend.ExpertLinear(x, experts, weights, output);
            device.Backend.SumExperts(output, scores, sum);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static ExpertWeights Load(CpuDevice device, float[][] matrices) => device.Backend.LoadExperts(
        "experts",
        [.. matrices.Select(matrix => device.Backend.LoadLinear("expert", [HostTensors.Of("expert", DType.F32, matrix, Out, In)]))]);

    private static float[] Multiply(CpuDevice device, float[] x, int rows, int[] routes, int chosen, ExpertWeights weights)
    {
        var output = device.Empty(routes.Length, Out);
        device.Backend.ExpertLinear(device.Floats(x, rows, In), device.Integers(routes.Length / chosen, chosen, routes), weights, output);
        return device.Read(output);
    }

    private static int[] Routes(Random random, int tokens, int experts, int chosen)
    {
        var all = Enumerable.Range(0, experts).ToArray();
        return [.. Enumerable.Range(0, tokens).SelectMany(_ =>
        {
            random.Shuffle(all);
            return all[..chosen];
        })];
    }

    /// <summary>By the one operation that looks integers up: a table whose row i holds i.</summary>
    private static int[] ReadIntegers(CpuDevice device, Tensor tensor, int bound)
    {
        var table = device.Backend.LoadEmbedding(
            HostTensors.Of("numbers", DType.F32, [.. Enumerable.Range(0, bound).Select(i => (float)i)], bound, 1));
        var output = device.Empty(tensor.Rows * tensor.Columns, 1);
        device.Backend.Embed(tensor with { Rows = output.Rows, Columns = 1 }, table, output);
        return Array.ConvertAll(device.Read(output), value => (int)value);
    }
}
