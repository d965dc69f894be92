using System.Threading.Channels;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving;

namespace Cluster.Worker.Tests.Serving;

public sealed class CoalescedOutputsTests
{
    [Fact]
    public async Task A_reader_that_keeps_up_gets_every_output_as_it_is()
    {
        var engine = Channel.CreateUnbounded<TokenOutput>();
        await using var reading = CoalescedOutputs.Of(engine.Reader.ReadAllAsync()).GetAsyncEnumerator();
        foreach (var output in (TokenOutput[])[Output(0, "a"), Output(1, "b"), Output(0, "c")])
        {
            var next = reading.MoveNextAsync();
            engine.Writer.TryWrite(output);
            Assert.True(await next);
            Assert.Same(output, reading.Current);
        }

        engine.Writer.Complete();
        Assert.False(await reading.MoveNextAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task What_comes_while_the_reader_is_away_waits_as_one_output_a_sequence(int numSequences)
    {
        var random = new Random(7);
        TokenOutput[] made = [.. Enumerable.Range(0, 1000).Select(i => Output(random.Next(numSequences), $"{i} "))];
        var taken = 0;
        await using var reading = CoalescedOutputs.Of(Counted(made, () => taken++)).GetAsyncEnumerator();

        Assert.True(await reading.MoveNextAsync());
        List<TokenOutput> read = [reading.Current];
        Assert.Equal(made.Length, taken);
        while (await reading.MoveNextAsync())
        {
            read.Add(reading.Current);
        }

        Assert.InRange(read.Count, numSequences, numSequences + 1);
        for (var index = 0; index < numSequences; index++)
        {
            Assert.Equal(Joined(made, index), Joined(read, index));
        }
    }

    [Fact]
    public async Task The_last_word_on_a_sequence_is_its_last_outputs()
    {
        var first = Output(0, "a") with { PromptLogprobs = [null], CompletionTokens = 1 };
        var last = Output(0, "b") with { FinishReason = FinishReason.Stop, StopReason = "x", CompletionTokens = 2 };
        await using var reading = CoalescedOutputs.Of(Counted([Output(1, "x"), first, last], () => { })).GetAsyncEnumerator();

        Assert.True(await reading.MoveNextAsync());
        Assert.True(await reading.MoveNextAsync());

        Assert.Equal(("ab", FinishReason.Stop, "x", 2), (reading.Current.Text, reading.Current.FinishReason, reading.Current.StopReason, reading.Current.CompletionTokens));
        Assert.Same(first.PromptLogprobs, reading.Current.PromptLogprobs);
    }

    [Fact]
    public async Task A_failure_comes_after_the_outputs_before_it()
    {
        await using var reading = CoalescedOutputs.Of(Counted([Output(0, "a")], () => { }, new GenerationFailedException("broken"))).GetAsyncEnumerator();

        Assert.True(await reading.MoveNextAsync());
        Assert.Equal("broken", (await Assert.ThrowsAsync<GenerationFailedException>(async () => await reading.MoveNextAsync())).Message);
    }

    [Fact]
    public async Task Whoever_leaves_leaves_the_engine_too()
    {
        var left = new TaskCompletionSource();
        await foreach (var output in CoalescedOutputs.Of(EndlessAsync(left)))
        {
            Assert.Equal("a", output.Text);
            break;
        }

        await left.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }

    private static async IAsyncEnumerable<TokenOutput> EndlessAsync(TaskCompletionSource left, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            yield return Output(0, "a");
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        }
        finally
        {
            left.SetResult();
        }
    }

    /// <summary>Outputs without a wait in between.</summary>
    private static async IAsyncEnumerable<TokenOutput> Counted(TokenOutput[] outputs, Action taken, Exception? failure = null)
    {
        foreach (var output in outputs)
        {
            taken();
            yield return output;
        }

        await Task.CompletedTask;
        if (failure is not null)
        {
            throw failure;
        }
    }

    private static (string Text, string Ids, string Logprobs) Joined(IEnumerable<TokenOutput> outputs, int index)
    {
        TokenOutput[] own = [.. outputs.Where(output => output.Index == index)];
        return (
            string.Concat(own.Select(output => output.Text)),
            string.Join(',', own.SelectMany(output => output.TokenIds)),
            string.Join(',', own.SelectMany(output => output.Logprobs!.Select(position => position.Sampled))));
    }

    private static TokenOutput Output(int index, string text) => new()
    {
        Index = index,
        TokenIds = [text.Length, text[0]],
        Text = text,
        Logprobs = [.. Enumerable.Range(0, 2).Select(i => new PositionLogprobs(new TokenLogprob(text[0], -i), []))],
        PromptTokens = 1,
        CompletionTokens = 1,
    };
}
