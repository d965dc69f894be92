using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Cluster.Worker.Compute.Cpu.Threads;

/// <summary>The threads of a <see cref="CpuBackend"/>. The caller of <see cref="Run"/> works along as worker 0; tasks are claimed one at a
/// time, so a thread the system has put aside delays only the task it holds. Starting work allocates nothing.</summary>
/// <remarks>
/// One 64-bit word holds what must change together:
/// <code>ticket = generation (32 bits) | tasks not claimed yet (32 bits)</code>
/// A worker claims by decrementing the low half with compare-and-swap. Success proves that the job of that generation is still running,
/// because it cannot end before the claimed task does; the job's fields are therefore read after the claim and need no lock.
/// Idle threads spin briefly, for the next operation of a step, then park: spinning longer steals the core from others.
/// </remarks>
internal sealed unsafe class WorkerThreads : IDisposable
{
    /// <summary>Work that takes about as long as handing it to another thread.</summary>
    private const long OperationsWorthSharing = 128 * 1024;

    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000; // 50 µs, about what waking a parked thread costs

    private readonly Thread[] _threads;
    private readonly Lock _caller = new();
    private readonly object _work = new();
    private readonly object _done = new();

    private long _ticket;
    private int _completed;
    private int _parked;
    private int _callerParked;
    private volatile bool _stopping;

    private delegate*<void*, int, int, void> _execute;
    private void* _body;
    private int _tasks;
    private ExceptionDispatchInfo? _failure;

    /// <param name="count">Threads that compute, the caller's included.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one.</exception>
    public WorkerThreads(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        _threads = new Thread[count - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"compute-{worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads that compute, the caller's included.</summary>
    public int Count { get; }

    /// <summary>Executes every task and returns when all are done. Called by one thread at a time; a second waits.</summary>
    /// <param name="operations">Multiply-adds, or elements touched, of all tasks together: little work stays on the calling thread.</param>
    /// <remarks>When a task throws, the tasks not begun are dropped and the first exception is thrown here.</remarks>
    public void Run<TBody>(int tasks, long operations, TBody body)
        where TBody : unmanaged, IParallelBody
    {
        ObjectDisposedException.ThrowIf(_stopping, this);
        lock (_caller)
        {
            if (Count == 1 || tasks == 1 || operations < OperationsWorthSharing)
            {
                for (var task = 0; task < tasks; task++)
                {
                    body.Execute(task, 0);
                }
            }
            else if (tasks > 1)
            {
                Share(tasks, &Invoke<TBody>, &body);
            }
        }
    }

    /// <summary>Ends the threads and waits for them.</summary>
    public void Dispose()
    {
        lock (_work)
        {
            _stopping = true;
            Monitor.PulseAll(_work);
        }

        foreach (var thread in _threads)
        {
            thread.Join();
        }
    }

    private static void Invoke<TBody>(void* body, int task, int worker)
        where TBody : unmanaged, IParallelBody => ((TBody*)body)->Execute(task, worker);

    private static int Unclaimed(long ticket) => (int)(ticket & 0xFFFF_FFFF);

    private void Share(int tasks, delegate*<void*, int, int, void> execute, void* body)
    {
        _execute = execute;
        _body = body;
        _tasks = tasks;
        _completed = 0;
        var generation = (Volatile.Read(ref _ticket) >> 32) + 1;
        Interlocked.Exchange(ref _ticket, (generation << 32) | (uint)tasks);
        if (Volatile.Read(ref _parked) > 0)
        {
            lock (_work)
            {
                Monitor.PulseAll(_work);
            }
        }

        ClaimAndExecute(worker: 0);
        WaitForOthers(tasks);

        var failure = _failure;
        _failure = null;
        failure?.Throw();
    }

    private void ClaimAndExecute(int worker)
    {
        while (true)
        {
            var ticket = Volatile.Read(ref _ticket);
            var unclaimed = Unclaimed(ticket);
            if (unclaimed == 0)
            {
                return;
            }

            if (Interlocked.CompareExchange(ref _ticket, ticket - 1, ticket) != ticket)
            {
                continue;
            }

            var tasks = _tasks;
            try
            {
                if (_failure is null)
                {
                    _execute(_body, tasks - unclaimed, worker);
                }
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
            }

            if (Interlocked.Increment(ref _completed) == tasks && Volatile.Read(ref _callerParked) != 0)
            {
                lock (_done)
                {
                    Monitor.Pulse(_done);
                }
            }
        }
    }

    private void WaitForOthers(int tasks)
    {
        var start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _completed) != tasks)
        {
            if (Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                Thread.SpinWait(8);
                continue;
            }

            lock (_done)
            {
                Interlocked.Exchange(ref _callerParked, 1);
                while (Volatile.Read(ref _completed) != tasks)
                {
                    Monitor.Wait(_done);
                }

                Volatile.Write(ref _callerParked, 0);
            }
        }
    }

    private void Work(int worker)
    {
        while (!_stopping)
        {
            ClaimAndExecute(worker);
            var start = Stopwatch.GetTimestamp();
            while (Unclaimed(Volatile.Read(ref _ticket)) == 0 && Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                Thread.SpinWait(8);
            }

            if (Unclaimed(Volatile.Read(ref _ticket)) != 0)
            {
                continue;
            }

            lock (_work)
            {
                // A full fence between announcing the sleep and looking once more: either the caller sees the sleeper or this thread sees
                // the job.
                Interlocked.Increment(ref _parked);
                while (Unclaimed(Volatile.Read(ref _ticket)) == 0 && !_stopping)
                {
                    Monitor.Wait(_work);
                }

                Interlocked.Decrement(ref _parked);
            }
        }
    }
}
