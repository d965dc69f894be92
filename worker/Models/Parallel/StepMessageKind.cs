namespace Cluster.Worker.Models.Parallel;

/// <summary>What a <see cref="StepMessage"/> asks of the ranks that follow.</summary>
internal enum StepMessageKind
{
    /// <summary>Compute the batch that comes with it.</summary>
    Step = 1,

    /// <summary>Show that you are there: join a barrier.</summary>
    Pulse = 2,

    /// <summary>There are no more steps.</summary>
    Stop = 3,
}
