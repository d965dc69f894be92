using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Tests.Compute.Cpu.Threads;

[Trait(Category.Name, Category.Slow)]
public unsafe class WorkerThreadsTests
{
    [Theory, InlineData(1), InlineData(2), InlineData(5)]
    public void Every_task_of_every_job_is_executed_exactly_once(int count)
    {
        using var threads = new WorkerThreads(count);
        var hits = stackalloc int[300];
        for (var job = 0; job < 3000; job++)
        {
            var tasks = job * 7 % 300;
            new Span<int>(hits, 300).Clear();
            threads.Run(tasks, long.MaxValue, new Counting { Hits = hits, Workers = count });
            for (var task = 0; task < 300; task++)
            {
                Assert.Equal(task < tasks ? 1 : 0, hits[task]);
            }
        }
    }

    [Theory, InlineData(1), InlineData(4)]
    public void An_exception_reaches_the_caller_and_the_threads_go_on(int count)
    {
        using var threads = new WorkerThreads(count);
        var hits = stackalloc int[40];
        for (var round = 0; round < 50; round++)
        {
            var exception = Assert.Throws<InvalidOperationException>(() => threads.Run(40, long.MaxValue, new Failing()));
            Assert.Equal("task 20", exception.Message);
            new Span<int>(hits, 40).Clear();
            threads.Run(40, long.MaxValue, new Counting { Hits = hits, Workers = count });
            Assert.Equal(40, new Span<int>(hits, 40).ToArray().Sum());
        }
    }

    [Fact]
    public void Starting_work_allocates_nothing()
    {
        using var threads = new WorkerThreads(2);
        var hits = stackalloc int[16];
        threads.Run(16, long.MaxValue, new Counting { Hits = hits, Workers = 2 });
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            threads.Run(16, long.MaxValue, new Counting { Hits = hits, Workers = 2 });
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Disposed_threads_refuse_work()
    {
        var threads = new WorkerThreads(3);
        threads.Dispose();
        Assert.Throws<ObjectDisposedException>(() => threads.Run(1, long.MaxValue, new Failing()));
    }

    private struct Counting : IParallelBody
    {
        public int* Hits;
        public int Workers;

        public readonly void Execute(int task, int worker)
        {
            if (worker < Workers)
            {
                Interlocked.Increment(ref Hits[task]);
            }
        }
    }

    private readonly struct Failing : IParallelBody
    {
        public void Execute(int task, int worker)
        {
            if (task == 20)
            {
                throw new InvalidOperationException($"task {task}");
            }
        }
    }
}
