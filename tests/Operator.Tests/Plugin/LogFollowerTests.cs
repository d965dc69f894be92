using System.Text;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Plugin;
using Cluster.Operator.Tests.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Plugin;

public sealed class LogFollowerTests
{
    private readonly ManualTime _time = new();
    private readonly List<string> _lines = [];
    private readonly List<string> _complaints = [];
    private readonly List<(string Pod, LogRange Range)> _opened = [];

    [Fact]
    public async Task The_logs_of_all_pods_are_printed_one_after_the_other()
    {
        var any = await Follower(() => [Pod("a"), Pod("b"), Pod("c")], (pod, _) => pod == "c" ? throw NotStarted() : $"{pod}1\r\n{pod}2\n")
            .PrintAsync(new LogRange(TailLines: 2), TestContext.Current.CancellationToken);

        Assert.True(any);
        Assert.Equal(["[a] a1", "[a] a2", "[b] b1", "[b] b2"], _lines);
        Assert.Equal(["c: waiting to start"], _complaints);
        Assert.All(_opened, one => Assert.Equal(2, one.Range.TailLines));
    }

    [Fact]
    public async Task Without_any_log_it_says_so()
    {
        Assert.False(
            await Follower(() => [Pod("a")], (_, _) => throw NotStarted())
                .PrintAsync(new LogRange(), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_later_pod_and_a_later_run_are_followed_from_their_beginning()
    {
        using CancellationTokenSource ending = new();
        List<V1Pod> pods = [Pod("a"), Pod("late", started: false)];
        var following = Follower(() => [.. pods], (pod, opened) => $"{pod}.{opened}\n")
            .FollowAsync(new LogRange(Follow: true, TailLines: 5, SinceSeconds: 60), ending.Token);
        await RoundAsync();
        pods[1] = Pod("late");
        await RoundAsync();
        pods[0] = Pod("a", restarts: 1);
        await RoundAsync();
        await ending.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);

        Assert.Equal(["[a] a.1", "[late] late.1", "[a] a.2"], _lines);
        Assert.Equal([5, null, null], _opened.Select(one => one.Range.TailLines));
        Assert.Equal([60, null, null], _opened.Select(one => one.Range.SinceSeconds));
        Assert.All(_opened, one => Assert.True(one.Range.Follow));
    }

    [Fact]
    public async Task A_log_that_is_not_there_yet_is_tried_again_in_silence()
    {
        using CancellationTokenSource ending = new();
        var following = Follower(() => [Pod("a")], (_, opened) => opened == 1 ? throw NotStarted() : "here\n")
            .FollowAsync(new LogRange(Follow: true), ending.Token);
        await RoundAsync();
        await RoundAsync();
        await RoundAsync();
        await ending.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);

        Assert.Equal(["[a] here"], _lines);
        Assert.Empty(_complaints);
    }

    [Theory]
    [InlineData("5s", 5.0)]
    [InlineData("2m", 120.0)]
    [InlineData("1h30m", 5400.0)]
    [InlineData("1.5s", 1.5)]
    [InlineData("500ms", 0.5)]
    [InlineData("5", null)]
    [InlineData("0s", null)]
    [InlineData("-5s", null)]
    [InlineData("5d", null)]
    [InlineData("", null)]
    public void Durations_are_Go_s(string text, double? seconds) =>
        Assert.Equal(seconds, GoDuration.Parse(text)?.TotalSeconds);

    private static KubernetesException NotStarted() => new(400, "BadRequest", "waiting to start");

    private static V1Pod Pod(string name, bool started = true, int restarts = 0)
    {
        var pod = Given.Pod(name);
        pod.Status.ContainerStatuses = [
            new V1ContainerStatus
            {
                Name = "worker",
                RestartCount = restarts,
                State = started ? new V1ContainerState { Running = new V1ContainerStateRunning() } : new V1ContainerState(),
            }];
        return pod;
    }

    /// <summary>Lets the follower look again.</summary>
    private async Task RoundAsync()
    {
        await _time.TimerSetAsync();
        _time.AdvanceToNextTimer();
        await _time.TimerSetAsync();
    }

    private LogFollower Follower(Func<List<V1Pod>> list, Func<string, int, string> log) => new(
        _ => Task.FromResult<IReadOnlyList<V1Pod>>(list()),
        (pod, range, _) =>
        {
            _opened.Add((pod.Metadata.Name, range));
            var text = log(pod.Metadata.Name, _opened.Count(one => one.Pod == pod.Metadata.Name));
            return Task.FromResult<Stream>(new MemoryStream(Encoding.UTF8.GetBytes(text)));
        },
        (pod, line) => _lines.Add($"[{pod}] {line}"), _complaints.Add, _time);
}
