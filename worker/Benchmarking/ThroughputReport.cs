using System.Globalization;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Benchmarking;

/// <summary>Figures of bench throughput: vLLM's, and how far the steps were from what the device can do.</summary>
/// <param name="peaks">Null where nobody knows them.</param>
internal sealed class ThroughputReport(
    OfflineRun run, int numRequests, (StepTotals Prefill, StepTotals Decode, double BetweenSeconds) steps, Ceilings ceilings,
    PeakRates? peaks)
{
    private double RequestsPerSecond => numRequests / run.Seconds;

    private double TokensPerSecond => (run.PromptTokens + run.OutputTokens) / run.Seconds;

    private double OutputTokensPerSecond => run.OutputTokens / run.Seconds;

    private double EngineShare => steps.BetweenSeconds / (steps.Prefill.Seconds + steps.Decode.Seconds);

    public string Text() => string.Join(
        Environment.NewLine,
        Line($"Throughput: {RequestsPerSecond:F2} requests/s, {TokensPerSecond:F2} total tokens/s, ")
        + Line($"{OutputTokensPerSecond:F2} output tokens/s"),
        Line($"Total num prompt tokens:  {run.PromptTokens}"),
        Line($"Total num output tokens:  {run.OutputTokens}"),
        Line($"Prefill: {steps.Prefill.Steps} steps, {steps.Prefill.RowsPerSecond:F1} tokens/s, ")
        + Compute(steps.Prefill.GflopsPerSecond) + Of(peaks?.GflopsPerSecond),
        Line($"Decode:  {steps.Decode.Steps} steps, {steps.Decode.RowsPerSecond:F1} tokens/s, ")
        + Line($"{steps.Decode.GigabytesPerSecond:F1} GB/s{Percent(steps.Decode.GigabytesPerSecond, peaks?.GigabytesPerSecond)}")
        + Of(peaks?.GigabytesPerSecond) + ", " + Compute(steps.Decode.GflopsPerSecond),
        Line($"Engine:  {100 * EngineShare:F1} % of the model's time, for planning, sampling and bookkeeping"));

    public JsonObject Json() => new()
    {
        ["elapsed_time"] = run.Seconds,
        ["num_requests"] = numRequests,
        ["total_num_tokens"] = run.PromptTokens + run.OutputTokens,
        ["requests_per_second"] = RequestsPerSecond,
        ["tokens_per_second"] = TokensPerSecond,
        ["output_tokens_per_second"] = OutputTokensPerSecond,
        ["prefill_tokens_per_second"] = steps.Prefill.RowsPerSecond,
        ["prefill_gflops_per_second"] = steps.Prefill.GflopsPerSecond,
        ["decode_tokens_per_second"] = steps.Decode.RowsPerSecond,
        ["decode_gigabytes_per_second"] = steps.Decode.GigabytesPerSecond,
        ["ceiling_gflops_per_second"] = ceilings.GflopsPerSecond,
        ["ceiling_gigabytes_per_second"] = ceilings.GigabytesPerSecond,
        ["peak_gigabytes_per_second"] = peaks?.GigabytesPerSecond,
        ["peak_gflops_per_second"] = peaks?.GflopsPerSecond,
        ["peak_source"] = peaks?.Source,
        ["engine_overhead"] = EngineShare,
    };

    private string Compute(double gflops) => Line($"{gflops:F1} GFLOP/s{Percent(gflops, peaks?.GflopsPerSecond)}");

    private string Of(double? peak) => peak is null ? "" : peaks!.IsMeasured ? Line($" of the {peak:F1} measured") : $" of {peaks.Source}";

    private static string Percent(double value, double? peak) => peak is null ? "" : Line($" = {100 * value / peak:F0} %");

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
