namespace Cluster.Common.Files;

/// <summary>Says where a load stands still. A file system over the network can keep a read waiting for minutes, and the log would end with
/// the line before. <see cref="RegularFile"/> tells it each file, and the loader of weights each tensor, whoever started it in this flow of
/// calls; without one nothing happens.</summary>
internal sealed class LoadWatch : IDisposable
{
    /// <summary>How long a place may take before the log says so.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly AsyncLocal<LoadWatch?> Current = new();

    private readonly TimeProvider _time;
    private readonly Action<string> _log;
    private readonly LoadWatch? _outer = Current.Value;
    private readonly ITimer _timer;
    private Place _place;

    private LoadWatch(TimeProvider time, Action<string> log)
    {
        _time = time;
        _log = log;
        _place = new Place(null, time.GetTimestamp());
        _timer = time.CreateTimer(_ => Look(), null, Patience, Patience);
    }

    /// <summary>Watches this flow of calls until it is disposed.</summary>
    /// <param name="log">Told one line each time that <see cref="Patience"/> has passed at one place.</param>
    public static LoadWatch Start(TimeProvider time, Action<string> log)
    {
        var watch = new LoadWatch(time, log);
        Current.Value = watch;
        return watch;
    }

    /// <summary>The load is at a file, or a part of one, from now on.</summary>
    public static void At(string file, string? part = null)
    {
        if (Current.Value is { } watch)
        {
            Volatile.Write(ref watch._place, new Place(part is null ? file : $"{file}, tensor '{part}'", watch._time.GetTimestamp()));
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        Current.Value = _outer;
    }

    private void Look()
    {
        var place = Volatile.Read(ref _place);
        var passed = _time.GetElapsedTime(place.Since);
        if (place.Name is { } name && passed >= Patience)
        {
            _log($"the load has not come further than {name} for {passed.TotalSeconds:F0} s");
        }
    }

    /// <summary>A class, so that the timer reads name and time of one place.</summary>
    private sealed record Place(string? Name, long Since);
}
