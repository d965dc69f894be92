using Cluster.Fuzz.Coverage;

namespace Cluster.Fuzz.Running;

/// <summary>The process that runs the inputs, so that one which ends the process does not end the run. Started by
/// <see cref="Supervisor"/>.</summary>
internal static class InputProcess
{
    /// <param name="folder">Of the <see cref="Session"/>.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string folder)
    {
        using Session session = new(folder);
        var options = session.Options;
        if (options.Coverage)
        {
            SeenBranches.Attach();
        }

        Watchdog watchdog = new(session);
        return SmallStack.Run(() =>
        {
            foreach (var name in options.Targets)
            {
                var report = RunTarget(name, options, session, watchdog);
                session.Add(report);
                Console.WriteLine($"{name}: {report.Inputs} inputs, {report.Findings.Count} kinds of failure");
            }

            return 0;
        });
    }

    private static TargetReport RunTarget(string name, RunOptions options, Session session, Watchdog watchdog)
    {
        session.Begin(name, []);
        using var target = TargetList.Create(name);
        INovelty novelty = options.Coverage ? new SeenBranches() : new SeenRefusals();
        return new TargetRun(target, options, novelty, Begin).Run();

        void Begin(byte[] input)
        {
            session.Begin(name, input);
            watchdog.Reset();
        }
    }
}
