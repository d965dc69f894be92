using System.CommandLine;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;

namespace Cluster.Worker.Commands;

/// <summary>Options of bench serve, with vLLM's names.</summary>
internal sealed class BenchServeFlags
{
    /// <summary>What is sent, and what is reported.</summary>
    public LoadFlags Load { get; } = new();

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

    public Option<int?> ShareGptOutputLen { get; } = BenchOptions.OptionalCount(
        "--sharegpt-output-len", "Tokens to generate, instead of as many as the answer has.");

    public Option<int> SonnetInputLen { get; } = BenchOptions.Count("--sonnet-input-len", "Tokens of a sonnet prompt.", 550);

    public Option<int> SonnetOutputLen { get; } = BenchOptions.Count("--sonnet-output-len", "Tokens to generate from one.", 150);

    public Option<int> SonnetPrefixLen { get; } = BenchOptions.Count(
        "--sonnet-prefix-len", "Tokens that all sonnet prompts share.", 200, minimum: 0);

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
        foreach (var option in (Option[])
            [
                Backend, BaseUrl, Host, Port, Endpoint, Model, Tokenizer, ServedModelName, DatasetName, DatasetPath, ShareGptOutputLen,
                SonnetInputLen, SonnetOutputLen, SonnetPrefixLen, SaveResult, ResultFilename, ResultDir, Plot,
            ])
        {
            command.Options.Add(option);
        }

        Load.AddTo(command);
    }

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
        var source = new DatasetSource(name, arguments.GetValue(DatasetPath), arguments.GetValue(Load.NumPrompts));
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
                InputLength = arguments.GetValue(Load.RandomInputLen),
                OutputLength = arguments.GetValue(Load.RandomOutputLen),
                RangeRatio = arguments.GetValue(Load.RandomRangeRatio),
            },
        };
    }
}
