using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;

namespace Cluster.Worker.Tests.Engine.Speculation;

/// <summary>The draft model is <see cref="FakeModelRunner"/>, which throws when a step reads a slot that does not hold what it
/// should.</summary>
public class DraftModelProposerTests
{
    private const int Vocab = 32;

    [Fact]
    public void A_draft_is_what_the_draft_model_would_write()
    {
        using var proposer = Proposer();
        var sequence = new Sequence([1, 2, 3]);

        proposer.Propose([Request(sequence, 4)]);

        Assert.Equal(Generation.Greedy(Vocab, [1, 2, 3], 4), sequence.Draft.ToArray());
    }

    [Fact]
    public void What_the_target_chose_instead_is_read_before_the_next_guess()
    {
        var runner = new FakeModelRunner(Vocab, 4, 16, 64);
        using var proposer = new DraftModelProposer(runner, Vocab);
        var sequence = new Sequence([1, 2, 3, 4, 5, 6]);
        var random = new Random(1);
        for (var round = 0; round < 12; round++)
        {
            proposer.Propose([Request(sequence, 3)]);
            Assert.Equal(Generation.Greedy(Vocab, sequence.Tokens.ToArray(), 3), sequence.Draft.ToArray());

            var accepted = random.Next(4);
            foreach (var token in sequence.Draft[..accepted].ToArray())
            {
                sequence.Append(token);
            }

            sequence.Append(random.Next(Vocab));
            sequence.TruncateDraft(0);
        }

        // Three rows a round and what was rejected; a prompt read anew each round would take far more.
        Assert.InRange(runner.RowsComputed, 36, 36 + 6 + 24);
    }

    [Fact]
    public void Many_sequences_are_drafted_together()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 64);
        using var proposer = new DraftModelProposer(runner, Vocab);
        var sequences = Enumerable.Range(0, 8).Select(i => new Sequence([i, i + 1])).ToArray();

        proposer.Propose([.. sequences.Select((sequence, i) => Request(sequence, 1 + i % 3))]);

        Assert.Equal(3, runner.Steps);
        foreach (var (sequence, i) in sequences.Select((sequence, i) => (sequence, i)))
        {
            Assert.Equal(Generation.Greedy(Vocab, [i, i + 1], 1 + i % 3), sequence.Draft.ToArray());
        }
    }

    [Fact]
    public void A_prompt_longer_than_a_step_is_read_in_chunks()
    {
        var runner = new FakeModelRunner(Vocab, 4, 16, 64, maxBatchedTokens: 8);
        using var proposer = new DraftModelProposer(runner, Vocab);
        var prompt = Enumerable.Range(0, 21).ToArray();
        var sequence = new Sequence(prompt);

        proposer.Propose([Request(sequence, 2)]);

        Assert.Equal(Generation.Greedy(Vocab, prompt, 2), sequence.Draft.ToArray());
        Assert.Equal(4, runner.Steps);
    }

    [Fact]
    public void More_sequences_than_a_step_takes_are_all_drafted()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 64, maxSequences: 3);
        using var proposer = new DraftModelProposer(runner, Vocab);
        var sequences = Enumerable.Range(0, 8).Select(i => new Sequence([i, i + 1])).ToArray();

        proposer.Propose([.. sequences.Select(sequence => Request(sequence, 2))]);

        Assert.All(sequences, sequence => Assert.Equal(Generation.Greedy(Vocab, sequence.Tokens.ToArray(), 2), sequence.Draft.ToArray()));
    }

    [Fact]
    public void Blocks_are_taken_from_sequences_that_are_not_drafting_and_given_back_in_the_end()
    {
        using var proposer = new DraftModelProposer(new FakeModelRunner(Vocab, 4, 4, 16), Vocab);
        var (first, second) = (new Sequence([.. Enumerable.Range(0, 12)]), new Sequence([.. Enumerable.Range(9, 12)]));

        for (var round = 0; round < 3; round++)
        {
            foreach (var sequence in (Sequence[])[first, second])
            {
                sequence.TruncateDraft(0);
                proposer.Propose([Request(sequence, 2)]);
                Assert.Equal(Generation.Greedy(Vocab, sequence.Tokens.ToArray(), 2), sequence.Draft.ToArray());
            }
        }

        proposer.Forget(first);
        proposer.Forget(second);
        proposer.Forget(second);
        Assert.Equal(0, proposer.NumUsedBlocks);
    }

    [Fact]
    public void A_sequence_for_which_no_block_is_left_goes_without_a_draft()
    {
        using var proposer = new DraftModelProposer(new FakeModelRunner(Vocab, 4, 4, 16), Vocab);
        var (first, second) = (new Sequence([.. Enumerable.Range(0, 12)]), new Sequence([.. Enumerable.Range(9, 12)]));

        proposer.Propose([Request(first, 2), Request(second, 2)]);

        Assert.Equal((2, 0), (first.NumDraftTokens, second.NumDraftTokens));
    }

    [Fact]
    public void A_sequence_that_outgrew_the_draft_model_goes_without_a_draft()
    {
        using var proposer = new DraftModelProposer(new FakeModelRunner(Vocab, 4, 4, 10), Vocab);
        var (almost, beyond) = (new Sequence([.. Enumerable.Range(0, 9)]), new Sequence([.. Enumerable.Range(0, 11)]));

        proposer.Propose([Request(almost, 5), Request(beyond, 5)]);

        Assert.Equal((2, 0), (almost.NumDraftTokens, beyond.NumDraftTokens));
    }

    [Fact]
    public void Logits_that_are_no_numbers_end_the_draft()
    {
        var runner = new FakeModelRunner(Vocab, 4, 16, 64)
        {
            OnLogits = (context, row) => row[3] = context.Length == 4 ? float.NaN : row[3]
        };
        using var proposer = new DraftModelProposer(runner, Vocab);
        var sequence = new Sequence([1, 2, 3]);

        proposer.Propose([Request(sequence, 4)]);

        Assert.Equal(1, sequence.NumDraftTokens);
    }

    [Fact]
    public void Another_vocabulary_is_refused_with_both_sizes()
    {
        var failure = Assert.Throws<ArgumentException>(() => new DraftModelProposer(new FakeModelRunner(500, 4, 4, 10), 1024));

        Assert.Contains("500", failure.Message, StringComparison.Ordinal);
        Assert.Contains("1024", failure.Message, StringComparison.Ordinal);
    }

    private static DraftModelProposer Proposer() => new(new FakeModelRunner(Vocab, 4, 16, 64), Vocab);

    private static DraftRequest Request(Sequence sequence, int maxTokens) =>
        new(sequence, new SamplingState(new SamplingParameters { Temperature = 0 }, sequence.Tokens, 1, []), maxTokens);
}
