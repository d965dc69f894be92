using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using Cluster.Operator.Local.ApiServer;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>A pseudo terminal: what a client types goes to the program that runs in it, and what that prints comes back. Closing it hangs
/// the program up.</summary>
internal sealed partial class Terminal : IDisposable
{
    private const int ReadWrite = 2;
    private const int NoControllingTerminal = 0x100;
    private const int CloseOnExec = 0x80000;
    private const nuint SetWindowSize = 0x5414;
    private const short CanRead = 1;
    private const short CanWrite = 4;
    private const int PollMilliseconds = 100;
    private const int BufferBytes = 4096;
    private const int MostPieces = 16;

    private static readonly TimeSpan WriteRetry = TimeSpan.FromMilliseconds(10);

    /// <summary>Opens the terminal in a session of its own and stays the process: its id and its exit code are the program's.</summary>
    private const string InNewSession = "exec setsid -c -w \"$@\" <\"$0\" >\"$0\" 2>&1";

    private readonly SafeFileHandle _master;
    private readonly string _name;

    private Terminal(SafeFileHandle master, string name)
    {
        _master = master;
        _name = name;
    }

    /// <exception cref="IOException">The system has none left.</exception>
    public static Terminal Open()
    {
        var master = OpenMaster(ReadWrite | NoControllingTerminal | CloseOnExec);
        var name = new byte[64];
        if (master.IsInvalid || Grant(master) != 0 || Unlock(master) != 0 || NameOf(master, name, (nuint)name.Length) != 0)
        {
            master.Dispose();
            throw new IOException($"no terminal can be opened: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        return new Terminal(master, System.Text.Encoding.ASCII.GetString(name.AsSpan(0, name.AsSpan().IndexOf((byte)0))));
    }

    /// <summary>The same program, in this terminal.</summary>
    public ProcessStartInfo Inside(ProcessStartInfo start)
    {
        var inside = new ProcessStartInfo("/bin/sh", ["-c", InNewSession, _name, start.FileName, .. start.ArgumentList])
        {
            // Without redirection .NET would lend the program the terminal of this process.
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = start.WorkingDirectory,
        };
        inside.Environment.Clear();
        foreach (var (name, value) in start.Environment)
        {
            inside.Environment[name] = value;
        }

        inside.Environment.TryAdd("TERM", "xterm");
        return inside;
    }

    public void Resize(TerminalSize size)
    {
        Span<ushort> window = [size.Height, size.Width, 0, 0];
        _ = Control(_master, SetWindowSize, ref window[0]);
    }

    /// <summary>Resizes with the client's window until the sizes end.</summary>
    public async Task FollowAsync(IAsyncEnumerable<TerminalSize> sizes, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var size in sizes.WithCancellation(cancellationToken))
            {
                Resize(size);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The client or the program has gone.
        }
    }

    /// <summary>Hands out what is printed.</summary>
    /// <param name="hasEnded">The program has: what is left is read, and no more is waited for.</param>
    /// <returns>When nobody has the terminal open any more, or the program has ended and all is read.</returns>
    public async Task ReadAsync(Func<ReadOnlyMemory<byte>, ValueTask> print, Task hasEnded, CancellationToken cancellationToken)
    {
        var printed = Channel.CreateBounded<byte[]>(MostPieces);

        // A thread of its own waits for the terminal: waiting would take one from the pool for as long as the program runs.
        new Thread(() => Receive(printed.Writer, hasEnded, cancellationToken)) { IsBackground = true, Name = "terminal" }.Start();
        try
        {
            await foreach (var piece in printed.Reader.ReadAllAsync(CancellationToken.None))
            {
                await print(piece);
            }
        }
        finally
        {
            // Whoever does not print any more does not read either.
            printed.Writer.TryComplete();
        }
    }

    /// <summary>Types what the client sends. An end of the client's input is none of the terminal's.</summary>
    public async Task TypeAsync(Stream input, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferBytes];
        try
        {
            while (await input.ReadAsync(buffer, cancellationToken) is > 0 and var length)
            {
                for (var at = 0; at < length;)
                {
                    if (!IsReady(CanWrite, milliseconds: 0))
                    {
                        if (_master.IsClosed)
                        {
                            return;
                        }

                        await Task.Delay(WriteRetry, TimeProvider.System, cancellationToken);
                        continue;
                    }

                    // In small pieces: what the terminal has no room for yet would block.
                    var written = (int)Write(_master, ref buffer[at], (nuint)Math.Min(length - at, 256));
                    if (written <= 0)
                    {
                        return;
                    }

                    at += written;
                }
            }
        }
        catch (Exception error) when (error is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The client or the program has gone.
        }
    }

    public void Dispose() => _master.Dispose();

    private void Receive(ChannelWriter<byte[]> printed, Task hasEnded, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferBytes];
        try
        {
            while (!cancellationToken.IsCancellationRequested && !_master.IsClosed)
            {
                var last = hasEnded.IsCompleted;
                if (IsReady(CanRead, PollMilliseconds))
                {
                    var read = (int)Read(_master, ref buffer[0], (nuint)buffer.Length);
                    if (read <= 0)
                    {
                        return;
                    }

                    // The client may be slower than the program, which then waits as at any terminal.
                    printed.WriteAsync(buffer[..read], cancellationToken).AsTask().GetAwaiter().GetResult();
                }
                else if (last)
                {
                    return;
                }
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or ChannelClosedException)
        {
            // The client has gone, or the terminal was closed.
        }
        finally
        {
            printed.TryComplete();
        }
    }

    /// <summary>False as well once the terminal is closed, which stays open while it is asked.</summary>
    private bool IsReady(short what, int milliseconds)
    {
        var isHeld = false;
        try
        {
            _master.DangerousAddRef(ref isHeld);
            var poll = new PollDescriptor { Descriptor = (int)_master.DangerousGetHandle(), Events = what };
            return Poll(ref poll, 1, milliseconds) > 0;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            if (isHeld)
            {
                _master.DangerousRelease();
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "posix_openpt", SetLastError = true)]
    private static partial SafeFileHandle OpenMaster(int flags);

    [LibraryImport("libc", EntryPoint = "grantpt", SetLastError = true)]
    private static partial int Grant(SafeFileHandle master);

    [LibraryImport("libc", EntryPoint = "unlockpt", SetLastError = true)]
    private static partial int Unlock(SafeFileHandle master);

    [LibraryImport("libc", EntryPoint = "ptsname_r", SetLastError = true)]
    private static partial int NameOf(SafeFileHandle master, [Out] byte[] name, nuint length);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(SafeFileHandle master, nuint request, ref ushort window);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(SafeFileHandle master, ref byte buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(SafeFileHandle master, ref byte buffer, nuint length);
}
