using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>What goes to the interpreter's memory and comes back.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class InterpreterMemoryTests
{
    [Fact]
    public void Values_arrive_whole_while_the_collector_moves_what_they_are_copied_from_and_to()
    {
        const int Bytes = 60_000, Rounds = 400;
        using var launcher = new InterpreterLauncher(memoryBytes: 1 << 20);
        using var memory = launcher.Allocate(Bytes);
        var range = new MemoryRange(memory, 0, Bytes);
        var ended = false;
        var collector = new Thread(() =>
        {
            while (!Volatile.Read(ref ended))
            {
                GC.Collect(0, GCCollectionMode.Forced, blocking: true, compacting: true);
            }
        });
        collector.Start();
        var wrong = 0;
        for (var round = 1; round <= Rounds; round++)
        {
            // Just allocated: what has survived two collections moves no more.
            var (values, read) = (new byte[Bytes], new byte[Bytes]);
            Array.Fill(values, (byte)(round % 255 + 1));
            launcher.Write(range, values);
            launcher.Read(range, read);
            wrong += read.AsSpan().SequenceEqual(values) ? 0 : 1;
        }

        Volatile.Write(ref ended, true);
        collector.Join();

        Assert.Equal(0, wrong);
    }
}
