using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Cluster.Fuzz.Running;

/// <summary>Runs one input and tells whether that went as it should. Called by <see cref="TargetRun"/> and by tests that replay.</summary>
internal static partial class Judge
{
    private const int MostTitle = 200;

    public static Judgement Run(IFuzzTarget target, byte[] input)
    {
        var allocated = GC.GetTotalAllocatedBytes();
        var processor = Environment.CpuUsage.TotalTime;
        var started = Stopwatch.GetTimestamp();
        Verdict? verdict = null;
        Failure? failure = null;
        try
        {
            verdict = target.Run(input);
        }
        catch (Exception exception)
        {
            failure = Of(exception);
        }

        var elapsed = Stopwatch.GetElapsedTime(started);
        processor = Environment.CpuUsage.TotalTime - processor;
        allocated = GC.GetTotalAllocatedBytes() - allocated;
        failure ??= Excess(target.Limits, processor, allocated);
        return new Judgement(verdict, failure, elapsed, allocated);
    }

    /// <summary>The first method of ours on a stack: two failures there are most likely one.</summary>
    public static string PlaceOf(string stack) =>
        OurFrame().Match(stack) is { Success: true } frame ? frame.Groups["method"].Value : "elsewhere";

    private static Failure Of(Exception exception)
    {
        var title = exception.Message.ReplaceLineEndings(" ");
        title = title.Length <= MostTitle ? title : title[..MostTitle] + "…";
        return exception is FuzzFailure property
            ? new Failure(property.Property, title, exception.Message)
            : new Failure(
                $"{exception.GetType().Name} at {PlaceOf(exception.ToString())}", $"{exception.GetType().Name}: {title}",
                exception.ToString());
    }

    private static Failure? Excess(FuzzLimits limits, TimeSpan processor, long allocated)
    {
        if (allocated > limits.AllocatedBytes)
        {
            var text = $"{allocated >> 20} MiB allocated; at most {limits.AllocatedBytes >> 20} are allowed";
            return new Failure("memory", text, text);
        }

        if (processor > limits.ProcessorTime)
        {
            var text = $"{processor.TotalSeconds:F1} s of processor time; at most {limits.ProcessorTime.TotalSeconds:F1} are allowed";
            return new Failure("time", text, text);
        }

        return null;
    }

    [GeneratedRegex(@"^\s*at (?<method>Cluster\.(?!Fuzz\.|Tests\.)[^(\r\n]*)", RegexOptions.Multiline)]
    private static partial Regex OurFrame();
}
