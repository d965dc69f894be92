using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute.Profiling;

namespace Cluster.Worker.Benchmarking;

/// <summary>What a step consists of, as a table for each kind of step. Printed by <c>bench --profile</c>.</summary>
/// <param name="peaks">Null where the device states none and none were measured.</param>
/// <param name="isComputed">Nothing ran: times are the least that <paramref name="peaks"/> allow.</param>
internal sealed class ProfileReport(OperationProfile profile, PeakRates? peaks, bool isComputed = false)
{
    public string Text() => string.Join(
        Environment.NewLine + Environment.NewLine,
        new[] { Table("Prefill", profile.Prefill), Table("Decode", profile.Decode) }.Where(table => table.Length > 0));

    public JsonObject Json() => new() { ["prefill"] = Json(profile.Prefill), ["decode"] = Json(profile.Decode) };

    private string Table(string title, StepProfile steps)
    {
        if (steps.Steps == 0)
        {
            return "";
        }

        var total = steps.Total;
        var head = Line($"{title}: {steps.Steps} {(steps.Steps == 1 ? "step" : "steps")}, ")
            + Line($"{(double)steps.Rows / steps.Steps:0.#} rows each; ")
            + Line($"{(double)total.Launches / steps.Steps:0.#} launches, {total.Bytes / steps.Steps * 1e-6:F2} MB and ")
            + Line($"{total.Operations / steps.Steps * 1e-9:F3} GFLOP a step");
        List<string> lines =
        [
            isComputed ? $"{head} (computed, not measured: {peaks!.Source})" : peaks is null ? head : $"{head} (roofline: {peaks.Source})",
            $"{"operation",-24} {"launches",8} {"MB",10} {"GFLOP",10} {"ms",10} {"share",6} {"GB/s",9} {"GFLOP/s",11} "
            + (isComputed ? "bound by" : "roofline"),
        ];
        var sum = SumOfSeconds(steps);
        foreach (var (name, one) in steps.Operations.OrderByDescending(o => Seconds(o.Value)))
        {
            lines.Add(Row(name, one, Seconds(one), steps.Steps, Seconds(one) / sum));
        }

        lines.Add(Row("step", total, sum, steps.Steps, 1));
        if (isComputed)
        {
            lines.Add(
                Line($"At most {steps.Rows / sum:F0} tokens/s, when every operation takes no longer than memory or ")
                + "arithmetic asks for");
        }

        return string.Join(Environment.NewLine, lines);
    }

    private string Row(string name, OperationTotals one, double seconds, int steps, double share)
    {
        var least = peaks?.LeastSeconds(one.Bytes, one.Operations);
        var last = isComputed ? peaks!.IsBoundByMemory(one.Bytes, one.Operations) ? "memory" : "arithmetic"
            : least is null ? "" : Line($"{100 * least.Value / seconds:F0} %");
        return Line($"{name,-24} {(double)one.Launches / steps,8:0.#} {one.Bytes / steps * 1e-6,10:F3} ")
            + Line($"{one.Operations / steps * 1e-9,10:F4} {seconds / steps * 1e3,10:F4} {100 * share,5:F1}% ")
            + Line($"{one.Bytes * 1e-9 / seconds,9:F1} {one.Operations * 1e-9 / seconds,11:F1} ")
            + last;
    }

    private double Seconds(OperationTotals one) => isComputed ? peaks!.LeastSeconds(one.Bytes, one.Operations) : one.Seconds;

    /// <summary>Operations come one after another, each bound by what it is bound by.</summary>
    private double SumOfSeconds(StepProfile steps) => steps.Operations.Values.Sum(Seconds);

    private JsonObject Json(StepProfile steps) => new()
    {
        ["steps"] = steps.Steps,
        ["rows"] = steps.Rows,
        ["computed"] = isComputed,
        ["operations"] = new JsonArray([
            .. steps.Operations.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => (JsonNode)new JsonObject
            {
                ["name"] = o.Key,
                ["calls"] = o.Value.Calls,
                ["launches"] = o.Value.Launches,
                ["bytes"] = o.Value.Bytes,
                ["operations"] = o.Value.Operations,
                ["seconds"] = Seconds(o.Value),
            })]),
    };

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
