using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Cluster.Common.Benchmarking;

/// <summary>Which load to offer and what to report of it, with the names and meanings of vLLM's bench serve. Options of the worker's
/// <c>bench serve</c> and of <c>kubectl mdep bench</c>.</summary>
/// <param name="numPrompts">Default of <c>--num-prompts</c>, as the following are of theirs.</param>
internal sealed class LoadFlags(int numPrompts = 1000, int inputLength = 1024, int outputLength = 128)
{
    public Option<int> NumPrompts { get; } = new Option<int>("--num-prompts")
    {
        Description = "Requests to send.",
        DefaultValueFactory = _ => numPrompts,
        HelpName = "N",
    }.Between(1);

    public Option<string[]> RequestRate { get; } = new("--request-rate")
    {
        Description = "Requests per second; inf sends all of them at once. A list (1,2,4) is run one rate after the other.",
        DefaultValueFactory = _ => ["inf"],
        AllowMultipleArgumentsPerToken = true,
        HelpName = "RATE"
    };

    public Option<double> Burstiness { get; } = new Option<double>("--burstiness")
    {
        Description = "Shape of the gamma distribution of gaps: 1 is a Poisson process, less is burstier.",
        DefaultValueFactory = _ => 1,
        HelpName = "X",
    }.Only(value => value is >= 0.01 and <= 1e6, "from 0.01 to 1000000");

    public Option<int?> MaxConcurrency { get; } = new Option<int?>("--max-concurrency")
    {
        Description = "Maximum number of concurrent requests. Default: no limit.",
        HelpName = "N",
    }.Between(1);

    public Option<int> Seed { get; } = new("--seed") { Description = "Of prompts and arrivals.", HelpName = "N" };

    public Option<bool> IgnoreEos { get; } = new("--ignore-eos")
    {
        Description = "Generate to the full length, past any end-of-sequence token."
    };

    public Option<int> RandomInputLen { get; } = new Option<int>("--random-input-len")
    {
        Description = "Tokens of a random prompt.",
        DefaultValueFactory = _ => inputLength,
        HelpName = "N",
    }.Between(1);

    public Option<int> RandomOutputLen { get; } = new Option<int>("--random-output-len")
    {
        Description = "Tokens to generate from one.",
        DefaultValueFactory = _ => outputLength,
        HelpName = "N",
    }.Between(1);

    public Option<double> RandomRangeRatio { get; } = new Option<double>("--random-range-ratio")
    {
        Description = "How far both lengths vary: 0.5 draws from half to one and a half.",
        DefaultValueFactory = _ => 0,
        HelpName = "X",
    }.Only(value => value is >= 0 and < 1, "from 0 to below 1");

    public Option<string> PercentileMetrics { get; } = new("--percentile-metrics")
    {
        Description = "Latencies to report, of ttft,tpot,itl,e2el.",
        DefaultValueFactory = _ => string.Join(',', ServeReport.Metrics),
        HelpName = "LIST"
    };

    public Option<string> MetricPercentiles { get; } = new("--metric-percentiles")
    {
        Description = "Percentiles of each, as in 50,90,99.",
        DefaultValueFactory = _ => "99",
        HelpName = "LIST"
    };

    public Option<string[]> Goodput { get; } = new("--goodput")
    {
        Description =
            "Service level objectives in milliseconds, as in ttft:200 tpot:50 e2el:1000; also reports the rate of requests that meet all "
            + "of them.",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "METRIC:MS"
    };

    public void AddTo(Command command)
    {
        RequestRate.Validators.Add(result => Check(result, () => Rates(result.Tokens.Select(token => token.Value))));
        Goodput.Validators.Add(
            result => Check(result, () => Benchmarking.Goodput.Parse(result.Tokens.Select(token => token.Value))));
        PercentileMetrics.Validators.Add(result => Check(result, () => MetricList(result.GetValueOrDefault<string>())));
        MetricPercentiles.Validators.Add(result => Check(result, () => PercentileList(result.GetValueOrDefault<string>())));
        foreach (var option in (Option[])
            [
                NumPrompts, RequestRate, Burstiness, MaxConcurrency, Seed, IgnoreEos, RandomInputLen, RandomOutputLen, RandomRangeRatio,
                PercentileMetrics, MetricPercentiles, Goodput,
            ])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Rates in the order given, infinity for inf.</summary>
    public double[] RatesOf(ParseResult arguments) => Rates(arguments.GetValue(RequestRate)!);

    /// <summary>The objectives; null without any.</summary>
    public Goodput? GoodputOf(ParseResult arguments) =>
        arguments.GetValue(Goodput) is { Length: > 0 } objectives ? Benchmarking.Goodput.Parse(objectives) : null;

    public ServeReport ReportOf(ParseResult arguments) =>
        new(MetricList(arguments.GetValue(PercentileMetrics)), PercentileList(arguments.GetValue(MetricPercentiles)));

    /// <exception cref="FormatException">One is not a positive number.</exception>
    private static double[] Rates(IEnumerable<string> values) =>
        [.. values.SelectMany(value => value.Split(',')).Select(value => value switch
        {
            "inf" => double.PositiveInfinity,
            _ when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var rate)
                && double.IsFinite(rate)
                && rate > 0 => rate,
            _ => throw new FormatException($"--request-rate {value}: expected a number above 0, or inf"),
        })];

    /// <exception cref="FormatException">One is unknown.</exception>
    private static string[] MetricList(string? value) =>
        [.. (value ?? "").Split(',').Select(name => ServeReport.Metrics.Contains(name)
            ? name
            : throw new FormatException($"--percentile-metrics {name}: expected some of {string.Join(',', ServeReport.Metrics)}"))];

    /// <exception cref="FormatException">One is not a percentile.</exception>
    private static double[] PercentileList(string? value) =>
        [.. (value ?? "").Split(',')
            .Select(
                text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var percentile)
                    && percentile is >= 0 and <= 100
            ? percentile
            : throw new FormatException($"--metric-percentiles {text}: expected numbers from 0 to 100"))];

    private static void Check(OptionResult result, Action parse)
    {
        try
        {
            parse();
        }
        catch (FormatException exception)
        {
            result.AddError(exception.Message);
        }
    }
}
