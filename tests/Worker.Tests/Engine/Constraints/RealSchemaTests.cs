namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>Hundreds of schemas as they are met, against JsonSchema.Net.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class RealSchemaTests(ITestOutputHelper output)
{
    private const int NumSchemas = 300;
    private const int NumWalks = 4;
    private const int NumMutations = 8;

    [Fact]
    public void Walks_are_valid_and_what_another_validator_refuses_is_refused()
    {
        var random = new Random(21);
        var (walks, mutations, refused) = (0, 0, 0);
        Assert.All(RealSchemas.Make(NumSchemas, seed: 22), schema =>
        {
            var constraint = Compiled.Schema(schema);
            var plain = RealSchemas.Plain(schema);
            for (var walk = 0; walk < NumWalks; walk++)
            {
                if (constraint.Sample(random, 300) is not { } text || SecondOpinion.HasRepeatedNames(text))
                {
                    continue;
                }

                walks++;
                Assert.True(SecondOpinion.IsValid(plain, text), $"JsonSchema.Net refuses\n{schema}\n{text}");
                for (var mutation = 0; mutation < NumMutations; mutation++)
                {
                    var mutant = RealSchemas.Mutate(text, random);
                    mutations++;
                    if (!SecondOpinion.HasRepeatedNames(mutant) && !SecondOpinion.IsValid(plain, mutant))
                    {
                        refused++;
                        Assert.False(constraint.Accepts(mutant), $"JsonSchema.Net refuses\n{schema}\n{mutant}");
                    }
                }
            }
        });

        output.WriteLine($"{NumSchemas} schemas, {walks} walks, {mutations} mutations of which {refused} are invalid");
        Assert.InRange(walks, NumSchemas, NumSchemas * NumWalks);
        Assert.InRange(refused, walks, mutations);
    }
}
