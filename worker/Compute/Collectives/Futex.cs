using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>Sleeping on a word of memory until another thread, or another process that maps the same page, changes it (Linux futex(2)).
/// Called by <see cref="RankBarrier"/>.</summary>
/// <remarks>Chosen over short sleeps because a decode step has two all-reduces a layer: a sleep's granularity (50 µs and more) would be the
/// price of each.</remarks>
internal static unsafe partial class Futex
{
    private const int Wait = 0;
    private const int Wake = 1;

    private static readonly nint SystemCall = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 202,
        Architecture.Arm64 => 98,
        var other => throw new PlatformNotSupportedException($"ranks on the host need x64 or arm64, not {other}"),
    };

    /// <summary>Sleeps while <paramref name="word"/> holds <paramref name="expected"/>, at most for <paramref name="timeout"/>. May also
    /// return early, for no reason: the caller looks again.</summary>
    public static void Sleep(int* word, int expected, TimeSpan timeout)
    {
        var interval = new Timespec
        {
            Seconds = (long)timeout.TotalSeconds,
            Nanoseconds = timeout.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick
        };
        _ = Call(SystemCall, word, Wait, expected, &interval);
    }

    /// <summary>Wakes all who sleep on <paramref name="word"/>, in every process.</summary>
    public static void WakeAll(int* word) => _ = Call(SystemCall, word, Wake, int.MaxValue, null);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint Call(nint number, int* word, nint operation, nint value, Timespec* timeout);

    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
