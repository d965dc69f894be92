using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

public sealed class SizingAdvisorTests
{
    private const long Gib = 1L << 30;

    private static readonly GpuClass Mi210 = new(64 * Gib, 4);
    private static readonly GpuClass Mi300X = new(192 * Gib, 8);

    [Fact]
    public void What_does_not_fit_says_by_how_much_and_what_would_help()
    {
        var advice = Advise("Llama-3.1-70B", new SizingInputs(), Mi210);
        Assert.Null(advice.TensorParallelSize);
        var message = advice.Message!;
        Assert.StartsWith(
            "131.4 GiB of weights (llama, 70.6 B parameters, 16 bits) and 160 GiB of KV cache (4 x 131,072 tokens) do not fit 4 GPUs of "
            + "64 GiB:", message, StringComparison.Ordinal);
        Assert.Matches(@"\d+(\.\d)? GiB are missing, \d+(\.\d)? GiB on each", message);
        Assert.Contains("engine.kvCacheDtype: fp8 would fit 4 GPUs", message, StringComparison.Ordinal);
        Assert.Matches(@"engine\.maxModelLen: \d{5} or less would fit 4 GPUs", message.Replace(",", "", StringComparison.Ordinal));
        Assert.Contains("8 GPUs of this size in one node would do", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Llama-3.1-70B")]
    [InlineData("Llama-3.1-405B")]
    [InlineData("BLOOM-176B")]
    public void What_is_said_to_help_does(string model)
    {
        SizingInputs inputs = new();
        var message = Advise(model, inputs, Mi210).Message!.Replace(",", "", StringComparison.Ordinal);
        var shape = PublishedModels.Shape(model);
        Assert.Equal(
            message.Contains("an FP8 checkpoint", StringComparison.Ordinal),
            SizingAdvisor.Advise(shape.As(WeightFormat.Fp8), null, inputs, [Mi210]).TensorParallelSize is not null);
        Assert.Equal(
            message.Contains("kvCacheDtype: fp8", StringComparison.Ordinal),
            Advise(model, inputs with { KvElementBytes = 1 }, Mi210).TensorParallelSize is not null);
        if (Find(message, @"maxModelLen: (\d+)") is { } length)
        {
            Assert.NotNull(Advise(model, inputs with { MaxModelLen = length }, Mi210).TensorParallelSize);
        }

        if (Find(message, @"(\d+) GPUs of this size") is { } count)
        {
            Assert.Equal(count, Advise(model, inputs, Mi210 with { GroupSize = count }).TensorParallelSize);
        }
    }

    [Fact]
    public void Small_GPUs_are_taken_for_throughput_where_they_will_do()
    {
        Assert.Equal((1, 64 * Gib), Choice("Llama-3.1-8B", new SizingInputs { MaxModelLen = 8192 }));
        Assert.Equal((2, 192 * Gib), Choice("Llama-3.1-70B", new SizingInputs()));
        Assert.Equal((8, 192 * Gib), Choice("Llama-3.1-8B", new SizingInputs { OptimizeFor = OptimizeFor.Latency, MaxModelLen = 8192 }));

        static (int?, long?) Choice(string model, SizingInputs inputs)
        {
            var advice = Advise(model, inputs, Mi210, Mi300X);
            return (advice.TensorParallelSize, advice.VramBytesPerGpu);
        }
    }

    [Fact]
    public void Seven_GPUs_of_eight_are_not_asked_for_where_eight_cost_no_replica()
    {
        var advice = Advise("BLOOM-176B", new SizingInputs { MaxModelLen = 2048 }, new GpuClass(64 * Gib, 8));
        Assert.Equal(8, advice.TensorParallelSize);
        Assert.True(advice.Alternatives!.Single(a => a.TensorParallelSize == 7).Fits);
        Assert.Contains("; 4 GPUs would lack 33.8 GiB each", advice.Message, StringComparison.Ordinal);
        Assert.EndsWith(
            "; 7 GPUs would hold it, but a node of 8 makes one such replica either way, and 8 leave none of its GPUs over", advice.Message,
            StringComparison.Ordinal);

        // Nothing to be gained where the rest of the node is a replica of its own, or no degree divides the node.
        Assert.Equal(7, Advise("BLOOM-176B", new SizingInputs { MaxModelLen = 2048 }, new GpuClass(64 * Gib, 14)).TensorParallelSize);
        Assert.Equal(7, Advise("BLOOM-176B", new SizingInputs { MaxModelLen = 2048 }, new GpuClass(64 * Gib, 9)).TensorParallelSize);
    }

    [Fact]
    public void For_latency_a_model_takes_what_of_a_node_it_can_be_split_over_and_says_why()
    {
        var advice = Advise("Qwen2-7B", new SizingInputs { OptimizeFor = OptimizeFor.Latency }, Mi300X);
        Assert.Equal(4, advice.TensorParallelSize);
        Assert.EndsWith(
            "; of a node's 8 it can be split over 1, 2, 4 (28 attention heads, 4 KV heads)", advice.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_smaller_share_of_memory_and_more_tokens_a_step_leave_less_for_the_cache()
    {
        SizingInputs usual = new() { MaxModelLen = 8192 };
        var tokens = Tokens(usual);
        Assert.True(Tokens(usual with { GpuMemoryUtilization = 0.5 }) < tokens);
        Assert.True(Tokens(usual with { MaxNumBatchedTokens = 65536 }) < tokens);
        Assert.InRange(Tokens(usual with { KvElementBytes = 1 }), (2 * tokens) - 1, (2 * tokens) + 1);

        static long Tokens(SizingInputs inputs) => Advise("Llama-3.1-8B", inputs, Mi300X).KvCacheTokens!.Value;
    }

    [Fact]
    public void A_draft_model_takes_its_room_on_every_GPU()
    {
        var model = PublishedModels.Shape("Llama-3.1-70B");
        var draft = PublishedModels.Shape("Llama-3.1-8B");
        SizingInputs inputs = new() { MaxModelLen = 8192 };
        var without = SizingAdvisor.Advise(model, null, inputs, [Mi300X]);
        var with = SizingAdvisor.Advise(model, draft, inputs, [Mi300X]);
        Assert.Equal(without.WeightBytesPerGpu + draft.WeightBytes, with.WeightBytesPerGpu);
        Assert.Equal(without.KvBytesPerToken + draft.KvBytesPerTokenOn(1, 2), with.KvBytesPerToken);
        Assert.Contains("15 GiB of a draft model on each GPU", with.Message, StringComparison.Ordinal);
    }

    /// <summary>Whatever the sizes, an advice for throughput is the smallest degree that fits, and more memory never asks for more
    /// GPUs.</summary>
    [Fact]
    public void More_memory_never_asks_for_more_GPUs()
    {
        Random random = new(20);
        string[] models = [.. PublishedModels.Names];
        Assert.All(Enumerable.Range(0, 300), i =>
        {
            var model = models[random.Next(models.Length)];
            SizingInputs inputs = new()
            {
                MaxModelLen = 1 << random.Next(8, 18),
                GpuMemoryUtilization = 0.5 + (random.NextDouble() / 2),
                MaxNumSeqs = random.Next(1, 500)
            };
            GpuClass small = new(random.NextInt64(8, 256) * Gib, 1 << random.Next(4));
            var few = Advise(model, inputs, small).TensorParallelSize ?? int.MaxValue;
            var fewer = Advise(
                model, inputs, small with { VramBytes = small.VramBytes + (random.NextInt64(0, 128) * Gib) }).TensorParallelSize
                ?? int.MaxValue;
            Assert.True(fewer <= few, $"{model} on {small}: {few}, with more memory {fewer}");
        });
    }

    private static SizingStatus Advise(string model, SizingInputs inputs, params GpuClass[] classes) =>
        SizingAdvisor.Advise(PublishedModels.Shape(model), null, inputs, classes);

    private static int? Find(string text, string pattern) =>
        System.Text.RegularExpressions.Regex.Match(text, pattern) is { Success: true } match
            ? int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)
            : null;
}
