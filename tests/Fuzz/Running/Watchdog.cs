using System.Diagnostics;

namespace Cluster.Fuzz.Running;

/// <summary>Ends the process when an input never comes to an end: nobody else can. It says so in the <see cref="Session"/>
/// first.</summary>
internal sealed class Watchdog
{
    public const int ExitCode = 4;

    /// <summary>Generous: a slow input is a failure long before, when it ends.</summary>
    private static readonly TimeSpan MostProcessorTime = TimeSpan.FromSeconds(60);

    /// <summary>For threads that wait for each other and use no processor.</summary>
    private static readonly TimeSpan MostTime = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Session _session;
    private long _started = Stopwatch.GetTimestamp();
    private long _processorTicks = Environment.CpuUsage.TotalTime.Ticks;

    public Watchdog(Session session)
    {
        _session = session;
        new Thread(Watch) { IsBackground = true, Name = "watchdog" }.Start();
    }

    /// <summary>The next input begins.</summary>
    public void Reset()
    {
        Volatile.Write(ref _started, Stopwatch.GetTimestamp());
        Volatile.Write(ref _processorTicks, Environment.CpuUsage.TotalTime.Ticks);
    }

    private void Watch()
    {
        using ManualResetEventSlim never = new();
        while (!never.Wait(Pause))
        {
            var time = Stopwatch.GetElapsedTime(Volatile.Read(ref _started));
            var processor = Environment.CpuUsage.TotalTime - TimeSpan.FromTicks(Volatile.Read(ref _processorTicks));
            if (processor > MostProcessorTime || time > MostTime)
            {
                _session.Hang =
                    $"no end after {processor.TotalSeconds:F0} s of processor time and {time.TotalSeconds:F0} s by the clock";
                Environment.Exit(ExitCode);
            }
        }
    }
}
