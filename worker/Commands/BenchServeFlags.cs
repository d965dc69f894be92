using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Benchmarking.Serving;

namespace Cluster.Worker.Commands;

/// <summary>Options of bench serve, with vLLM's names.</summary>
internal sealed class BenchServeFlags
{
    public Option<string> Backend { get; } = OptionChecks.OneOf(
        "--backend", "Protocol of the server; openai and vllm are the same, the OpenAI completions API with vLLM's ignore_eos.", "openai",
        "vllm");

    public Option<string?> BaseUrl { get; } = new("--base-url")
    {
        Description = "URL of the server, instead of --host and --port.",
        HelpName = "URL"
    };

    public Option<string> Host { get; } = new("--host")
    {
        Description = "Host of the server.",
        DefaultValueFactory = _ => "127.0.0.1",
        HelpName = "HOST"
    };

    public Option<int> Port { get; } = BenchOptions.Count("--port", "Port of the server.", 8000);

    public Option<string> Endpoint { get; } = new("--endpoint")
    {
        Description = "Path of the completions API.",
        DefaultValueFactory = _ => "/v1/completions",
        HelpName = "PATH"
    };

    public Option<string?> Model { get; } = new("--model")
    {
        Description = "Model name to request. Default: the first one that the server lists.",
        HelpName = "MODEL"
    };

    public Option<string?> Tokenizer { get; } = new("--tokenizer")
    {
        Description = "Folder with the model's tokenizer, or a GGUF file. Default: --model, where that is a folder.",
        HelpName = "DIR"
    };

    public Option<string?> ServedModelName { get; } = new("--served-model-name")
    {
        Description = "Model name to request if --model is a folder.",
        HelpName = "NAME"
    };

    public Option<string> DatasetName { get; } = OptionChecks.OneOf("--dataset-name", "Where prompts come from.", DatasetSource.Names);

    public Option<string?> DatasetPath { get; } = new("--dataset-path")
    {
        Description =
            "File of the dataset: sharegpt (JSON), sonnet (lines of text) or trace (CSV of arrival_seconds,prompt_len,output_len).",
        HelpName = "FILE"
    };

    public Option<int> NumPrompts { get; } = BenchOptions.Count("--num-prompts", "Requests to send.", 1000);

    public Option<string[]> RequestRate { get; } = new("--request-rate")
    {
        Description = "Requests per second; inf sends all of them at once. A list (1,2,4) is run one rate after the other.",
        DefaultValueFactory = _ => ["inf"],
        AllowMultipleArgumentsPerToken = true,
        HelpName = "RATE"
    };

    public Option<double> Burstiness { get; } = BenchOptions.Number(
        "--burstiness", "Shape of the gamma distribution of gaps: 1 is a Poisson process, less is burstier.", 1,
        value => value is >= 0.01 and <= 1e6, "from 0.01 to 1000000");

    public Option<int?> MaxConcurrency { get; } = BenchOptions.OptionalCount(
        "--max-concurrency", "Maximum number of concurrent requests. Default: no limit.");

    public Option<int> Seed { get; } = new("--seed") { Description = "Of prompts and arrivals.", HelpName = "N" };

    public Option<bool> IgnoreEos { get; } = new("--ignore-eos")
    {
        Description = "Generate to the full length, past any end-of-sequence token."
    };

    public Option<int> RandomInputLen { get; } = BenchOptions.Count("--random-input-len", "Tokens of a random prompt.", 1024);

    public Option<int> RandomOutputLen { get; } = BenchOptions.Count("--random-output-len", "Tokens to generate from one.", 128);

    public Option<double> RandomRangeRatio { get; } = BenchOptions.Number(
        "--random-range-ratio", "How far both lengths vary: 0.5 draws from half to one and a half.", 0, value => value is >= 0 and < 1,
        "from 0 to below 1");

    public Option<int?> ShareGptOutputLen { get; } = BenchOptions.OptionalCount(
        "--sharegpt-output-len", "Tokens to generate, instead of as many as the answer has.");

    public Option<int> SonnetInputLen { get; } = BenchOptions.Count("--sonnet-input-len", "Tokens of a sonnet prompt.", 550);

    public Option<int> SonnetOutputLen { get; } = BenchOptions.Count("--sonnet-output-len", "Tokens to generate from one.", 150);

    public Option<int> SonnetPrefixLen { get; } = BenchOptions.Count(
        "--sonnet-prefix-len", "Tokens that all sonnet prompts share.", 200, minimum: 0);

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

    public Option<bool> SaveResult { get; } = new("--save-result")
    {
        Description = "Write the results to a JSON file, one per request rate."
    };

    public Option<string?> ResultFilename { get; } = new("--result-filename")
    {
        Description = "Name of that file. Default: backend, rate, model and time.",
        HelpName = "FILE"
    };

    public Option<string?> ResultDir { get; } = new("--result-dir")
    {
        Description = "Folder for it. Default: the current one.",
        HelpName = "DIR"
    };

    public Option<string?> Plot { get; } = new("--plot")
    {
        Description = "Draw throughput, TTFT and TPOT over the request rates, as SVG.",
        HelpName = "FILE"
    };

    public void AddTo(Command command)
    {
        RequestRate.Validators.Add(result => Check(result, () => Rates(result.Tokens.Select(token => token.Value))));
        Goodput.Validators.Add(
            result => Check(result, () => Benchmarking.Serving.Goodput.Parse(result.Tokens.Select(token => token.Value))));
        PercentileMetrics.Validators.Add(result => Check(result, () => MetricList(result.GetValueOrDefault<string>())));
        MetricPercentiles.Validators.Add(result => Check(result, () => PercentileList(result.GetValueOrDefault<string>())));
        foreach (var option in (Option[])
            [
                Backend, BaseUrl, Host, Port, Endpoint, Model, Tokenizer, ServedModelName, DatasetName, DatasetPath, NumPrompts,
                RequestRate, Burstiness, MaxConcurrency, Seed, IgnoreEos, RandomInputLen, RandomOutputLen, RandomRangeRatio,
                ShareGptOutputLen, SonnetInputLen, SonnetOutputLen, SonnetPrefixLen, PercentileMetrics, MetricPercentiles, Goodput,
                SaveResult, ResultFilename, ResultDir, Plot,
            ])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Rates in the order given, infinity for inf.</summary>
    /// <exception cref="FormatException">One is not a positive number.</exception>
    public static double[] Rates(IEnumerable<string> values) =>
        [.. values.SelectMany(value => value.Split(',')).Select(value => value switch
        {
            "inf" => double.PositiveInfinity,
            _ when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var rate)
                && double.IsFinite(rate)
                && rate > 0 => rate,
            _ => throw new FormatException($"--request-rate {value}: expected a number above 0, or inf"),
        })];

    /// <exception cref="FormatException">One is unknown.</exception>
    public static string[] MetricList(string? value) =>
        [.. (value ?? "").Split(',').Select(name => ServeReport.Metrics.Contains(name)
            ? name
            : throw new FormatException($"--percentile-metrics {name}: expected some of {string.Join(',', ServeReport.Metrics)}"))];

    /// <exception cref="FormatException">One is not a percentile.</exception>
    public static double[] PercentileList(string? value) =>
        [.. (value ?? "").Split(',')
            .Select(
                text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var percentile)
                    && percentile is >= 0 and <= 100
            ? percentile
            : throw new FormatException($"--metric-percentiles {text}: expected numbers from 0 to 100"))];

    /// <exception cref="CommandFailure">--base-url is no address.</exception>
    public Uri BaseAddress(ParseResult arguments)
    {
        var text = arguments.GetValue(BaseUrl) ?? $"http://{arguments.GetValue(Host)}:{arguments.GetValue(Port)}";
        return Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new CommandFailure($"{text} is not the address of a server: expected http://host:port");
    }

    public DatasetSource Dataset(ParseResult arguments)
    {
        var name = arguments.GetValue(DatasetName)!;
        var source = new DatasetSource(name, arguments.GetValue(DatasetPath), arguments.GetValue(NumPrompts));
        return name switch
        {
            DatasetSource.ShareGpt => source with { OutputLength = arguments.GetValue(ShareGptOutputLen) },
            DatasetSource.Sonnet => source with
            {
                InputLength = arguments.GetValue(SonnetInputLen),
                OutputLength = arguments.GetValue(SonnetOutputLen),
                PrefixLength = arguments.GetValue(SonnetPrefixLen),
            },
            _ => source with
            {
                InputLength = arguments.GetValue(RandomInputLen),
                OutputLength = arguments.GetValue(RandomOutputLen),
                RangeRatio = arguments.GetValue(RandomRangeRatio),
            },
        };
    }

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
