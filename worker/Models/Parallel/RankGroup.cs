using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>The processes of ranks 1 to N − 1, started and watched by rank 0, which is the process that serves. Made by the commands' model
/// loading, asked by <see cref="LeadingRunner"/>, which disposes it.</summary>
/// <remarks>
/// How a replica starts:
/// <list type="number">
/// <item>rank 0 starts the others and hands each its <see cref="RankSetup"/>; all load their slices at once;</item>
/// <item>each tells when it has them; rank 0 waits for all (<see cref="Begin"/>). That wait is on pipes and without limit, for checkpoints
/// may be large; a rank that ends ends it. From then on silence counts as a loss;</item>
/// <item>they agree on the size of the KV cache (<see cref="ModelLoader"/>), meet in a first all-reduce (<see cref="Rendezvous"/>), and
/// steps come.</item>
/// </list>
/// </remarks>
internal sealed class RankGroup : IRankSupervisor
{
    /// <summary>How long after an operation has failed the end of a process may be noticed: the kernel tells it within
    /// milliseconds.</summary>
    private static readonly TimeSpan TimeToNotice = TimeSpan.FromSeconds(1);

    private readonly RankProcess[] _ranks;
    private readonly TaskCompletionSource<RankLostException> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _ending;

    private RankGroup(RankProcess[] ranks)
    {
        _ranks = ranks;
        foreach (var rank in ranks)
        {
            _ = WatchAsync(rank);
        }
    }

    /// <summary>Completes when a rank is lost, with which and how.</summary>
    public Task<RankLostException> Lost => _lost.Task;

    public RankLostException? Loss => _lost.Task.IsCompletedSuccessfully ? _lost.Task.Result : null;

    /// <summary>Process ids of ranks 1 and up.</summary>
    public IReadOnlyList<int> ProcessIds => [.. _ranks.Select(rank => rank.ProcessId)];

    /// <param name="first">Rank 0's own setup; the others differ by their number.</param>
    /// <param name="devices">One for each rank; null where they are not told apart.</param>
    /// <param name="log">Told what the ranks log, a line each.</param>
    /// <exception cref="RankLostException">A process cannot be started.</exception>
    public static RankGroup Start(RankProgram program, RankSetup first, IReadOnlyList<string>? devices, Action<string> log)
    {
        var started = new List<RankProcess>();
        try
        {
            for (var rank = 1; rank < first.Size; rank++)
            {
                started.Add(RankProcess.Start(program, first with { Rank = rank }, devices?[rank], log));
            }

            return new RankGroup([.. started]);
        }
        catch
        {
            End([.. started]);
            throw;
        }
    }

    /// <summary>Waits until all ranks have their weights and has them begin to work together. Rank 0 calls it when it has its
    /// own.</summary>
    /// <exception cref="RankLostException">A rank is lost; the message says which and why.</exception>
    public void Begin()
    {
        Task.WaitAny(Task.WhenAll(_ranks.Select(rank => rank.Loaded)), _lost.Task);
        ThrowIfLost();
        foreach (var rank in _ranks)
        {
            rank.Send("begin");
        }
    }

    /// <exception cref="RankLostException">A rank is lost.</exception>
    public void ThrowIfLost()
    {
        if (Loss is { } loss)
        {
            throw loss;
        }
    }

    public RankLostException Report(RankLostException seen)
    {
        // Whoever has ended is the reason; the one that only fell silent is stopped or hangs, and is known by what the operation saw.
        if (!_lost.Task.Wait(TimeToNotice))
        {
            _lost.TrySetResult(seen);
        }

        return _lost.Task.Result;
    }

    /// <summary>Ends all processes and waits until they are gone. After a loss they are killed: they may wait for the lost one.</summary>
    public void Dispose()
    {
        _ending = true;
        if (Loss is not null)
        {
            Array.ForEach(_ranks, rank => rank.Kill());
        }

        End(_ranks);
    }

    /// <summary>All at once: each takes its time.</summary>
    private static void End(RankProcess[] ranks)
    {
        Array.ForEach(ranks, rank => rank.Release());
        Array.ForEach(ranks, rank => rank.Dispose());
    }

    private async Task WatchAsync(RankProcess rank)
    {
        var end = await rank.Lost;
        if (!_ending)
        {
            _lost.TrySetResult(end);
        }
    }
}
