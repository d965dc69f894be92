using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine.Constraints;

public sealed class TokenMaskTests
{
    [Theory]
    [InlineData("{}")]
    [InlineData(
        """{"type": "object", "properties": {"ab": {"type": "integer"}, "abc": {"enum": ["é", "日本", null]}}, "additionalProperties": {"type": "boolean"}}""")]
    [InlineData("""{"$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "$ref": "#/$defs/tree"}""")]
    public void A_mask_is_what_trying_every_token_gives(string schema)
    {
        var constraint = Compiled.Schema(schema);
        var random = new Random(4);
        Assert.All(Enumerable.Range(0, 20), i =>
        {
            constraint.Sample(random, 60, state =>
            {
                var mask = constraint.Mask(state);
                Assert.NotEqual(0UL, mask.Aggregate(0UL, (any, word) => any | word));
                for (var token = 0; token < Compiled.Tokenizer.VocabSize; token++)
                {
                    Assert.Equal(constraint.Advance(state, token) is not null, Compiled.Allows(mask, token));
                }
            });
        });
    }

    [Fact]
    public void The_end_is_allowed_only_where_the_output_may_end()
    {
        var constraint = Compiled.Of(new Constraint.Choice(["ab", "abc"]));
        var a = constraint.Advance(constraint.Start, 'a')!;
        Assert.False(Compiled.Allows(constraint.Mask(a), Compiled.Eos));
        var ab = constraint.Advance(a, 'b')!;
        Assert.True(Compiled.Allows(constraint.Mask(ab), Compiled.Eos));
        Assert.False(ab.IsFinal);
        Assert.True(constraint.Advance(ab, 'c')!.IsFinal);
    }

    [Fact]
    public void A_mask_is_computed_once_and_costs_no_memory_after()
    {
        var constraint = Compiled.Of(new Constraint.Regex("[a-z]*"));
        var first = constraint.Mask(constraint.Start);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(ReferenceEquals(first, constraint.Mask(constraint.Start)));
        var state = constraint.Advance(constraint.Advance(constraint.Start, 'x')!, 'y');
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1024);
        Assert.NotNull(state);
    }
}
