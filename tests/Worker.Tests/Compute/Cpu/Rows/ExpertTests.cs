using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Rows;

public class ExpertTests
{
    private const int In = 37;
    private const int Out = 41;

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
    public void Experts_are_summed_by_weight_or_scaled_and_summed(int tokens, int chosen, int columns)
    {
        var random = new Random(columns);
        float[] x = HostTensors.Random(random, tokens * chosen * columns), weights = HostTensors.Random(random, tokens * chosen);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var output = device.Empty(tokens, columns);
            var rows = device.Floats(x, tokens * chosen, columns);
            device.Backend.SumExperts(rows, device.Floats(weights, tokens, chosen), output);
            var weighted = device.Read(output);
            device.Backend.ScaleRows(rows, device.Floats(weights, tokens, chosen));
            device.Backend.SumExperts(rows, null, output);
            var scaled = device.Read(output);
            for (var i = 0; i < tokens * columns; i++)
            {
                var expected = Enumerable.Range(0, chosen)
                    .Sum(j => (double)weights[i / columns * chosen + j] * x[(i / columns * chosen + j) * columns + i % columns]);
                Assert.Equal(expected, weighted[i], 1e-6);
                Assert.Equal(expected, scaled[i], 1e-6);
            }
        });
    }

    [Theory, InlineData(1, 3), InlineData(9, 2), InlineData(50, 5)]
    public void Every_head_is_multiplied_by_its_own_matrix(int tokens, int heads)
    {
        var random = new Random(tokens);
        var matrices = Enumerable.Range(0, heads).Select(_ => HostTensors.Random(random, Out * In)).ToArray();
        var x = HostTensors.Random(random, tokens * heads * In);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 2);
            var output = device.Empty(tokens, heads * Out);
            device.Backend.HeadLinear(device.Floats(x, tokens, heads * In), Load(device, matrices), output);
            var actual = device.Read(output);
            for (var row = 0; row < tokens * heads; row++)
            {
                var expected = ScalarTwin.Linear(x[(row * In)..((row + 1) * In)], matrices[row % heads], null, 1, Out, In);
                Assert.All(expected, (value, n) => Assert.Equal(value, actual[row * Out + n], 1e-5));
            }
        });
    }

    [Fact]
    public void Heads_that_do_not_fit_their_matrices_are_refused()
    {
        using var device = new CpuDevice(VectorWidth.Scalar);
        var heads = Load(device, [new float[Out * In], new float[Out * In]]);
        var error = Assert.Throws<ArgumentException>(
            () => device.Backend.HeadLinear(device.Empty(1, In), heads, device.Empty(1, 2 * Out)));
        Assert.Contains("given where 2 heads become 41 of 37 features", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_steady_step_of_experts_allocates_nothing()
    {
        using var device = new CpuDevice(VectorWidth.Bits256, threads: 2);
        var weights = Load(device, [.. Enumerable.Range(0, 4).Select(seed => HostTensors.Random(new Random(seed), Out * In))]);
        Tensor x = device.Empty(3, In), logits = device.Empty(3, 4), scores = device.Empty(3, 2), output = device.Empty(
            6, Out), sum = device.Empty(3, Out);
        var experts = device.Integers(3, 2, new int[6]);
        var bias = device.Empty(1, 4);
        var routing = new ExpertRouting(ExpertScoring.Sigmoid) { Groups = 2, GroupsChosen = 1, GroupScore = GroupScore.SumOfTwo };
        long before = 0;
        for (var step = 0; step < 20; step++)
        {
            before = step == 10 ? GC.GetAllocatedBytesForCurrentThread() : before;
            device.Backend.RouteToExperts(logits, routing, bias, experts, scores);
            device.Backend.ExpertLinear(x, experts, weights, output);
            device.Backend.ScaleRows(output, scores);
            device.Backend.SumExperts(output, scores, sum);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Factors_that_are_not_one_a_row_are_refused()
    {
        using var device = new CpuDevice(VectorWidth.Scalar);
        var error = Assert.Throws<ArgumentException>(() => device.Backend.ScaleRows(device.Empty(5, 3), device.Empty(2, 2)));
        Assert.Equal("output:F32[2,2] given where 5 factors are needed", error.Message);
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
}
