using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

public sealed class OutputQueueTests
{
    [Fact(Timeout = 30_000)]
    public async Task A_reader_that_keeps_up_gets_every_output_as_it_is()
    {
        var queue = new OutputQueue();
        await using var reading = queue.ReadAllAsync(CancellationToken.None).GetAsyncEnumerator();
        foreach (var output in (TokenOutput[])[Output(0, "a"), Output(1, "b"), Output(0, "c")])
        {
            var next = reading.MoveNextAsync();
            queue.Add(output);
            Assert.True(await next);
            Assert.Same(output, reading.Current);
        }

        queue.End();
        Assert.False(await reading.MoveNextAsync());
    }

    [Theory(Timeout = 30_000)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task What_comes_while_the_reader_is_away_waits_as_one_output_per_sequence(int numSequences)
    {
        var random = new Random(7);
        TokenOutput[] made = [.. Enumerable.Range(0, 1000).Select(i => Output(random.Next(numSequences), $"{i} "))];

        var read = await ReadAsync(Filled(made));

        Assert.Equal(numSequences, read.Count);
        for (var index = 0; index < numSequences; index++)
        {
            Assert.Equal(Joined(made, index), Joined(read, index));
        }
    }

    [Fact(Timeout = 30_000)]
    public async Task Nothing_is_lost_or_reordered_between_a_writer_and_a_reader_that_race()
    {
        TokenOutput[] made = [.. Enumerable.Range(0, 20_000).Select(i => Output(i % 2, $"{i} "))];
        var queue = new OutputQueue();
        var reading = Task.Run(() => ReadAsync(queue));

        Array.ForEach(made, queue.Add);
        queue.End();
        var read = await reading;

        Assert.Equal(Joined(made, 0), Joined(read, 0));
        Assert.Equal(Joined(made, 1), Joined(read, 1));
    }

    [Fact(Timeout = 30_000)]
    public async Task The_last_word_on_a_sequence_is_its_last_outputs()
    {
        var first = Output(0, "a") with { PromptLogprobs = [null], CompletionTokens = 1 };
        var last = Output(0, "b") with { FinishReason = FinishReason.Stop, StopReason = "x", CompletionTokens = 2 };

        var read = Assert.Single(await ReadAsync(Filled([first, last])));

        Assert.Equal(("ab", FinishReason.Stop, "x", 2), (read.Text, read.FinishReason, read.StopReason, read.CompletionTokens));
        Assert.Same(first.PromptLogprobs, read.PromptLogprobs);
    }

    [Fact(Timeout = 30_000)]
    public async Task A_failure_comes_after_the_outputs_before_it_and_is_the_first_one()
    {
        var queue = new OutputQueue();
        queue.Add(Output(0, "a"));
        queue.End(new GenerationFailedException("broken"));
        queue.End(new GenerationFailedException("broken again"));
        queue.Add(Output(0, "b"));
        await using var reading = queue.ReadAllAsync(CancellationToken.None).GetAsyncEnumerator();

        Assert.True(await reading.MoveNextAsync());
        Assert.Equal("a", reading.Current.Text);
        Assert.Equal("broken", (await Assert.ThrowsAsync<GenerationFailedException>(async () => await reading.MoveNextAsync())).Message);
    }

    [Fact(Timeout = 30_000)]
    public async Task A_reader_that_is_cancelled_while_it_waits_is_told_so()
    {
        using var leaving = new CancellationTokenSource();
        await using var reading = new OutputQueue().ReadAllAsync(leaving.Token).GetAsyncEnumerator();
        var next = reading.MoveNextAsync();

        await leaving.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(async () => await next);
    }

    private static OutputQueue Filled(TokenOutput[] outputs)
    {
        var queue = new OutputQueue();
        Array.ForEach(outputs, queue.Add);
        queue.End();
        return queue;
    }

    private static async Task<List<TokenOutput>> ReadAsync(OutputQueue queue)
    {
        var read = new List<TokenOutput>();
        await foreach (var output in queue.ReadAllAsync(CancellationToken.None))
        {
            read.Add(output);
        }

        return read;
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
