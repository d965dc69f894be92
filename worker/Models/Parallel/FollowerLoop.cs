using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>What the ranks behind rank 0 do all their life: compute their part of every step that <see cref="LeadingRunner"/> tells. Called
/// by <see cref="RankSession"/>.</summary>
internal static class FollowerLoop
{
    /// <summary>Returns when rank 0 says that there are no more steps.</summary>
    /// <exception cref="RankLostException">Another rank is gone.</exception>
    /// <exception cref="InvalidDataException">Rank 0 sent what is no message.</exception>
    public static void Run(IModelRunner runner, Communicator communicator)
    {
        var message = new StepMessage(runner);
        var batch = message.NewBatch();
        while (true)
        {
            switch (message.Receive(batch, communicator))
            {
                case StepMessageKind.Step:
                    runner.Launch(batch);
                    break;
                case StepMessageKind.Pulse:
                    communicator.Barrier();
                    break;
                case StepMessageKind.Stop:
                    return;
                case var other:
                    throw new InvalidDataException(
                        $"rank 0 sent a message of kind {(int)other}; known are {string.Join(", ", Enum.GetValues<StepMessageKind>())}");
            }
        }
    }
}
