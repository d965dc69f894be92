
namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Random clusters in which pods start, fail and end, nodes vanish, fall silent and return, and specs change, while
/// <see cref="Cluster.Operator.Reconciling.Planner"/> has its way.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class PlannerProperties
{
    public static TheoryData<int> Seeds { get; } = PropertySeeds.Take(60);

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Never_books_twice_never_gives_up_too_many_places_well_and_always_converges(int seed)
    {
        PlannerWorld world = new(seed);
        Run(world, steps: 150);
        world.CalmDown();
    }

    [Fact]
    public void The_same_input_gives_the_same_plan()
    {
        Assert.All(Enumerable.Range(1, 29), seed => Assert.Equal(History(seed), History(seed)));

        static string History(int seed)
        {
            PlannerWorld world = new(seed);
            Run(world, steps: 20);
            return world.ToString();
        }
    }

    private static void Run(PlannerWorld world, int steps)
    {
        for (var step = 0; step < steps; step++)
        {
            world.Chaos();
            world.PlanOne();
        }
    }
}
