using System.Globalization;

namespace Cluster.Worker.Serving;

/// <summary>Whether this worker should go on living. Asked by the HTTP probes and the gRPC health service.</summary>
/// <param name="timeout">Longest time without a sign of life from an engine that has work; zero for any.</param>
internal sealed class WorkerHealth(ServingState state, TimeSpan timeout)
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Why it can only be restarted; null while all is well.</summary>
    public string? Problem => state.Failure ?? Hang;

    /// <summary>Takes new work, and does it.</summary>
    public bool IsReady => state.IsReady && Hang is null;

    private string? Hang
    {
        get
        {
            if (timeout <= TimeSpan.Zero || state.Model?.Engine.Silence is not { } silence || silence < timeout)
            {
                return null;
            }

            return string.Create(
                CultureInfo.InvariantCulture,
                $"the engine hangs: work waits, and no step has finished for {silence.TotalSeconds:F0} seconds (--health-timeout "
                + $"{timeout.TotalSeconds})");
        }
    }
}
