using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Tests.Engine;

namespace Cluster.Worker.Tests.Models.Parallel;

/// <summary>Rank 0 and the ranks behind it, on threads of this process, each with a model of its own that keeps every row of logits it
/// computed.</summary>
internal sealed class FollowingRanks : IRankSupervisor
{
    private readonly Communicator[] _communicators;
    private readonly List<float[]>[] _rows;
    private readonly Task[] _followers;

    /// <param name="makeModel">Called once for each rank.</param>
    public FollowingRanks(int size, Func<FakeModelRunner> makeModel, TimeSpan? pulseInterval = null, TimeProvider? time = null)
    {
        _communicators = ThreadCommunicator.CreateGroup(size, TimeSpan.FromSeconds(60));
        _rows = [.. _communicators.Select(_ => new List<float[]>())];
        Models = [.. _rows.Select(list =>
        {
            var model = makeModel();
            model.OnLogits = (_, row) => list.Add([.. row]);
            return model;
        })];
        _followers = [.. Enumerable.Range(1, size - 1).Select(rank => Task.Factory.StartNew(
            () =>
            {
                using var own = _communicators[rank];
                FollowerLoop.Run(Models[rank], own);
            },
            TaskCreationOptions.LongRunning))];
        Leader = new LeadingRunner(Models[0], _communicators[0], this, pulseInterval ?? TimeSpan.FromHours(1), time ?? TimeProvider.System);
    }

    public LeadingRunner Leader { get; }

    /// <summary>By rank.</summary>
    public IReadOnlyList<FakeModelRunner> Models { get; }

    /// <summary>By rank: every row of logits, in the order they were computed.</summary>
    public IReadOnlyList<IReadOnlyList<float[]>> Rows => _rows;

    /// <summary>Completes when the other ranks have ended; faulted when one of them failed.</summary>
    public Task Ended => Task.WhenAll(_followers);

    public RankLostException? Loss { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>A rank ends in the next step it takes.</summary>
    public void Lose(int rank) => Models[rank].OnLaunch = _ => throw new InvalidOperationException("this rank is to be lost");

    /// <summary>Rank 0 alone fails in the next step, in the middle of which the others wait for it.</summary>
    public void FailLeader(Exception failure)
    {
        Models[0].OnLaunch = _ => throw failure;
        foreach (var (model, end) in Models.Zip(_communicators).Skip(1))
        {
            model.OnLaunch = _ => end.Barrier();
        }
    }

    public RankLostException Report(RankLostException seen) => Loss ??= new RankLostException("rank 1 was ended by the test", seen);

    public void Dispose() => IsDisposed = true;
}
