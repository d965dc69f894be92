using Cluster.Fuzz;
using Cluster.Fuzz.Running;

namespace Cluster.EndToEnd.Tests.Fuzz;

/// <summary>Inputs that the fuzzer once found, and those it starts from, at every target.</summary>
[Trait(Category.Name, Category.Slow), Collection(AloneCollection.Name)]
public sealed class ReplayTests
{
    public static TheoryData<string> Targets { get; } = [.. TargetList.Names];

    [Theory, MemberData(nameof(Targets))]
    public void An_input_that_once_failed_is_taken_or_refused_now(string name)
    {
        var failures = SmallStack.Run(() =>
        {
            using var target = TargetList.Create(name);
            return Fixtures.Of(name).Select(path => (path, Judge.Run(target, File.ReadAllBytes(path)).Failure)).ToList();
        });

        Assert.All(failures, one => Assert.True(one.Failure is null, $"{one.path}: {one.Failure?.Detail}"));
    }

    [Theory, MemberData(nameof(Targets))]
    public void What_the_fuzzer_starts_from_is_taken(string name)
    {
        var seeds = SmallStack.Run(() =>
        {
            using var target = TargetList.Create(name);
            return target.Seeds.Select(seed => Judge.Run(target, seed)).ToList();
        });

        Assert.NotEmpty(seeds);
        Assert.All(seeds, seed => Assert.True(
            seed is { Failure: null, Verdict.IsAccepted: true }, seed.Failure?.Detail ?? seed.Verdict?.Refusal));
    }

    [Fact]
    public void Every_folder_of_found_inputs_is_a_target_s() =>
        Assert.All(
            Directory.EnumerateDirectories(Fixtures.Folder), folder => Assert.Contains(Path.GetFileName(folder), TargetList.Names));
}
