using System.Collections.Concurrent;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Parallel;

namespace Cluster.Worker.Tests.Models.Parallel;

/// <summary>The supervisor with shell scripts for ranks.</summary>
[Trait(Category.Name, Category.Slow)]
public class RankGroupTests
{
    private const string Load = """read setup; echo '{"WeightsLoaded":true}'; read begin; """;

    private readonly ConcurrentQueue<string> _log = new();

    [Fact(Timeout = 60_000)]
    public async Task Ranks_begin_when_all_are_loaded_and_end_when_their_input_closes()
    {
        var group = Start(3, Load + "echo \"$begin\" >&2; cat >/dev/null");
        var processes = group.ProcessIds;
        await Task.Run(group.Begin);
        await Eventually.True(() => _log.Count >= 2, "both ranks speak");

        Assert.Equal(["rank 1: begin", "rank 2: begin"], _log.Order());
        Assert.Null(group.Loss);
        group.Dispose();
        Assert.All(processes, process => Assert.False(Directory.Exists($"/proc/{process}")));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_rank_that_cannot_load_is_named_with_its_reason_while_others_still_load()
    {
        using var group = Start(3, """
            read setup
            case "$setup" in *'"Rank":2'*) echo '{"Failure":"tensor x is broken"}'; exit 1;; esac
            cat >/dev/null
            """);

        var error = await Assert.ThrowsAsync<RankLostException>(() => Task.Run(group.Begin));

        Assert.Equal("rank 2: tensor x is broken", error.Message);
        Assert.Equal(error, group.Loss);
        Assert.Throws<RankLostException>(() => new WatchfulProgress(group, null).Report(default!));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("kill -9 $$", "rank 1 was ended by signal 9 (SIGKILL)")]
    [InlineData("kill -11 $$", "rank 1 was ended by signal 11 (SIGSEGV)")]
    [InlineData("exit 3", "rank 1 ended with exit code 3")]
    public async Task How_a_rank_ended_is_the_reason_whatever_an_operation_saw(string end, string expected)
    {
        using var group = Start(2, Load + end);
        await Task.Run(group.Begin);

        var loss = await Task.Run(() => group.Report(new RankLostException("rank 1 does not answer")));

        Assert.Equal(expected, loss.Message);
        Assert.Equal(expected, (await group.Lost).Message);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_rank_that_hangs_is_known_by_what_the_operation_saw_and_killed()
    {
        var group = Start(2, Load + "trap '' TERM INT; while :; do sleep 1; done");
        await Task.Run(group.Begin);
        var process = group.ProcessIds[0];

        Assert.Equal(
            "rank 1 does not answer", (await Task.Run(() => group.Report(new RankLostException("rank 1 does not answer")))).Message);
        group.Dispose();

        Assert.False(Directory.Exists($"/proc/{process}"));
    }

    [Fact(Timeout = 60_000)]
    public async Task Each_rank_sees_its_own_device()
    {
        using var group = Start(3, "read setup; echo \"$ROCR_VISIBLE_DEVICES\" >&2; cat >/dev/null", ["4", "6", "7"]);
        await Eventually.True(() => _log.Count >= 2, "both ranks speak");

        Assert.Equal(["rank 1: 6", "rank 2: 7"], _log.Order());
    }

    [Fact]
    public void A_program_that_does_not_exist_is_named()
    {
        var error = Assert.Throws<RankLostException>(
            () => RankGroup.Start(new RankProgram("/no/such/program", []), RankSetupTests.Example with { Rank = 0 }, null, _log.Enqueue));

        Assert.StartsWith("rank 1 cannot be started as '/no/such/program': ", error.Message, StringComparison.Ordinal);
    }

    private RankGroup Start(int size, string script, IReadOnlyList<string>? devices = null) =>
        RankGroup.Start(
            new RankProgram("/bin/sh", ["-c", script]), RankSetupTests.Example with { Rank = 0, Size = size }, devices, _log.Enqueue);
}
