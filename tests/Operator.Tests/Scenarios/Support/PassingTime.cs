namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>A clock of an operator under test that goes on by itself, much faster than a real one, as long as it is told to.</summary>
internal sealed class PassingTime
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(250);

    /// <summary>What the operator's own work takes of a step.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(15);

    public ManualTime Clock { get; } = new();

    public async Task PassAsync(TimeSpan span)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += Step)
        {
            await Task.Delay(Pause);
            Clock.Advance(Step);
        }

        await Task.Delay(Pause);
    }

    /// <summary>Goes on until the work is done.</summary>
    public async Task WhileAsync(Task work)
    {
        while (!work.IsCompleted)
        {
            await PassAsync(Step);
        }

        await work;
    }
}
