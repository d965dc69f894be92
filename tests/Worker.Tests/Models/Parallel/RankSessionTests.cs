using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Models.Parallel;

/// <summary>The hidden command <c>rank</c> in processes of its own, as the supervisor starts it.</summary>
[Trait(Category.Name, Category.Slow)]
public class RankSessionTests
{
    [Fact(Timeout = 120_000)]
    public async Task A_checkpoint_that_is_broken_for_one_rank_only_is_told_by_that_rank()
    {
        using var broken = new TemporaryFolder();
        foreach (var file in Directory.EnumerateFiles(Fixtures.Haiku))
        {
            File.Copy(file, Path.Combine(broken.Path, Path.GetFileName(file)));
        }

        var weights = Path.Combine(broken.Path, "model.safetensors");
        using (var file = File.OpenWrite(weights))
        {
            file.SetLength(file.Length / 2);
        }

        // On the way to the rank, another folder's name is put into its setup.
        var program = RankProgram.Own;
        var misled = new RankProgram(
            "/bin/sh", ["-c", $"sed -u 's#{Fixtures.Haiku}#{broken.Path}#' | '{program.Path}' {string.Join(' ', program.Arguments)}"]);
        var path = SharedMemoryCommunicator.NewPath();
        var setup = RankSetupTests.Example with
        {
            Rank = 0,
            Group = path,
            Source = Fixtures.Haiku,
            Options = new ModelRunnerOptions { NumBlocks = 16 }
        };

        var error = await Assert.ThrowsAsync<RankLostException>(() => Task.Run(() => Load(misled, setup)));

        Assert.StartsWith("rank 1: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(weights, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.False(File.Exists(path));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_rank_of_another_build_refuses_before_it_reads_anything_else()
    {
        using var group = RankGroup.Start(RankProgram.Own, RankSetupTests.Example with { Rank = 0, Version = "9.9.9+abc" }, null, _ => { });

        var error = await Assert.ThrowsAsync<RankLostException>(() => Task.Run(group.Begin));

        Assert.Equal(
            $"rank 1: this is build {SharedMemoryOptions.ThisBuild} and rank 0 is 9.9.9+abc; all ranks must be of one build",
            error.Message);
    }

    [Fact(Timeout = 120_000)]
    public async Task The_file_of_a_group_that_ends_while_a_rank_has_yet_to_read_its_setup_is_removed()
    {
        var path = SharedMemoryCommunicator.NewPath();
        await File.WriteAllTextAsync(path, "");
        var orphaned = new TaskCompletionSource();
        _ = new RankSession(
            new StringReader((RankSetupTests.Example with { Group = path }).ToJson()), TextWriter.Null, _ => { }, orphaned.SetResult);

        await orphaned.Task;

        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_group_that_refuses_a_rank_is_reported_in_one_line()
    {
        using var output = new StringWriter();
        var session = new RankSession(new StringReader(RankSetupTests.Example.ToJson()), output, _ => { }, () => { });

        var exitCode = session.Run(
            _ => throw new InvalidOperationException("rank 1 cannot join: rank 0 was started with 2 ranks, this rank with 3"),
            (_, _) => throw new NotSupportedException());

        Assert.Equal(1, exitCode);
        Assert.Equal("rank 1 cannot join: rank 0 was started with 2 ranks, this rank with 3", RankReport.Parse(output.ToString()).Failure);
    }

    /// <summary>Rank 0's side of the start.</summary>
    private static void Load(RankProgram program, RankSetup setup)
    {
        using var group = RankGroup.Start(program, setup, null, _ => { });
        try
        {
            using var communicator = SharedMemoryCommunicator.Join(
                setup.Group, 0, setup.Size, new SharedMemoryOptions { Timeout = TimeSpan.FromSeconds(setup.TimeoutSeconds) });
            using var backend = CpuBackend.Create(new CpuOptions { Threads = 1, Communicator = communicator });
            ModelLoader.Load(setup.Source, backend, setup.Options, new WatchfulProgress(group, null), communicator, group.Begin);
        }
        catch (RankLostException exception)
        {
            throw group.Report(exception);
        }
    }
}
