using System.CommandLine;
using System.Globalization;
using Cluster.Worker.Compute.Tuning;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary><c>tune</c>: loads a model, times the variants of its multiplications, and writes the file that later runs load.</summary>
internal static class TuneCommand
{
    public static Command Create()
    {
        var flags = new EngineFlags();
        var output = new Option<string?>("--output")
        {
            Description =
                $"File to write, with the rank's number before its extension or where %d stands. Default: {TunableOp.FileVariable}, or "
                + $"{TunableOp.DefaultFileName}. What it has already is not timed again.",
            HelpName = "FILE",
        };
        var duration = new Option<int?>("--max-tuning-duration-ms")
        {
            Description = $"Longest time for one variant of one shape. Default: {TunableOp.DurationVariable}, or 30.",
            HelpName = "N",
        }.Between(1);
        var command = new Command(
            "tune",
            "Times the variants of each multiplication of a model on its device, and writes the fastest in the format of PyTorch's "
            + $"TunableOp. Runs with {TunableOp.EnabledVariable}=1 load the file; with {TunableOp.TuningVariable}=1, the default, they "
            + "tune what it lacks. All variants give the same bits.")
        {
            output,
            duration,
        };
        flags.AddTo(command);
        command.SetAction(async (arguments, cancellationToken) =>
        {
            // Ranks are processes of their own, and read the same variables.
            Set(TunableOp.EnabledVariable, "1");
            Set(TunableOp.TuningVariable, "1");
            Set(TunableOp.FileVariable, arguments.GetValue(output));
            Set(TunableOp.DurationVariable, arguments.GetValue(duration)?.ToString(CultureInfo.InvariantCulture));
            return await RunAsync(StartupArguments.Read(flags, arguments), cancellationToken);
        });
        return command;
    }

    private static void Set(string variable, string? value)
    {
        if (value is not null)
        {
            Environment.SetEnvironmentVariable(variable, value);
        }
    }

    private static async Task<int> RunAsync(StartupOptions startup, CancellationToken cancellationToken)
    {
        var folders = await ModelFolder.PrepareAsync(startup, Console.Error.WriteLine, cancellationToken);
        List<TunedShape> tuned = [];
        var tunable = startup.Device.Tuning!;
        await CountBar.RunAsync("tuning", report =>
        {
            tunable = tunable with
            {
                RequiresFile = true,
                Progress = new Listener(shape =>
                {
                    tuned.Add(shape);
                    report(shape.Done, shape.Total, "");
                }),
            };
            var options = startup with { Device = startup.Device with { Tuning = tunable } };
            try
            {
                using var runner = ReplicaModel.Load(options, folders, (Tokenizer?)null, null, Console.Error.WriteLine).Runner;
            }
            catch (ArgumentException exception)
            {
                throw new CommandFailure(exception.Message, exception);
            }

            return Task.FromResult(true);
        });
        Print(tuned);
        Console.WriteLine(tuned.Count == 0
            ? $"nothing to tune: {tunable.FileOf(0)} has every shape of this model, or the device has one variant only"
            : $"{tunable.FileOf(0)}: {tuned.Count} multiplications, {tuned.Count(shape => shape.Best.Name != TunedVariant.Default)} with "
                + "another variant than the usual one");
        return 0;
    }

    private static void Print(IReadOnlyList<TunedShape> tuned)
    {
        if (tuned.Count == 0)
        {
            return;
        }

        Console.WriteLine($"{"type",-12} {"N",8} {"M",5} {"K",8}  {"variant",-20} {"ms",10} {"usual ms",10} {"ratio",6}");
        foreach (var shape in tuned)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{shape.Shape.Type,-12} {shape.Shape.Outputs,8} {shape.Shape.Rows,5} {shape.Shape.Inputs,8}  {shape.Best.Name,-20} "
                + $"{shape.Best.Milliseconds,10:F4} {shape.UsualMilliseconds,10:F4} "
                + $"{shape.UsualMilliseconds / shape.Best.Milliseconds,6:F2}"));
        }
    }

    private sealed class Listener(Action<TunedShape> told) : IProgress<TunedShape>
    {
        public void Report(TunedShape value) => told(value);
    }
}
