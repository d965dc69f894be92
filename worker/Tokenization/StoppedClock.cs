namespace Cluster.Worker.Tokenization;

/// <summary>A clock that shows one time.</summary>
/// <param name="now">That time.</param>
/// <param name="zone">Whose zone is local.</param>
internal sealed class StoppedClock(DateTimeOffset now, TimeProvider zone) : TimeProvider
{
    public override TimeZoneInfo LocalTimeZone => zone.LocalTimeZone;

    public override DateTimeOffset GetUtcNow() => now.ToUniversalTime();
}
