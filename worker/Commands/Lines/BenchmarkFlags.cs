using System.Text.Json;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands.Lines;

/// <summary>Options of vLLM's benchmarks, and those that hold other options. Part of <see cref="ForeignFlags"/>.</summary>
internal static class BenchmarkFlags
{
    private const string NoBeams = "beams are measured through a server: send use_beam_search with requests";
    private const string NoProfile = "use dotnet-trace or rocprof on the process";

    /// <summary>vLLM's one option for all of speculation.</summary>
    public static IReadOnlyList<ForeignFlag> Speculation { get; } =
        [new(["--speculative-config", "-sc"], ForeignValue.One, SpeculativeConfig)];

    public static IReadOnlyList<ForeignFlag> Latency { get; } =
    [
        ForeignFlag.Only("1", "one output per request is measured; raise --batch-size", "--n"),
        ForeignFlag.Refused(ForeignValue.Switch, NoBeams, "--use-beam-search"),
        ForeignFlag.Refused(ForeignValue.Switch, NoProfile, "--profile"),
        ForeignFlag.Refused(ForeignValue.One, NoProfile, "--profile-result-dir"),
        ForeignFlag.Inert(ForeignValue.Switch, "text is made while the next step computes", "--disable-detokenize"),
    ];

    public static IReadOnlyList<ForeignFlag> Throughput { get; } =
    [
        OldDataset,
        ForeignFlag.Only("vllm", "this engine is measured; other servers by bench serve --base-url", "--backend"),
        ForeignFlag.Only("1", "one output per request is measured; raise --num-prompts", "--n"),
        ForeignFlag.Refused(ForeignValue.Switch, NoBeams, "--use-beam-search"),
        ForeignFlag.Refused(ForeignValue.Switch, NoProfile, "--profile"),
        ForeignFlag.Refused(ForeignValue.One, "this engine is measured", "--hf-max-batch-size", "--lora-path"),
        ForeignFlag.Inert(
            ForeignValue.Switch, "there is one engine, and it is asynchronous", "--async-engine", "--disable-frontend-multiprocessing"),
        ForeignFlag.Inert(ForeignValue.Switch, "text is made while the next step computes", "--disable-detokenize"),
    ];

    public static IReadOnlyList<ForeignFlag> Serving { get; } =
    [
        OldDataset,
        new(["--input-len"], ForeignValue.One,
            use => ForeignAnswer.Of(("--random-input-len", use.Value), ("--sonnet-input-len", use.Value))),
        new(["--output-len"], ForeignValue.One, use => ForeignAnswer.Of(
            ("--random-output-len", use.Value), ("--sonnet-output-len", use.Value), ("--sharegpt-output-len", use.Value))),
        ForeignFlag.Only("openai|vllm|completions", "the protocol is --backend's", "--endpoint-type"),
        ForeignFlag.Only("1", "one output per request is measured", "--best-of", "--n"),
        ForeignFlag.Only("auto|slow|fast", "the tokenizer is --tokenizer's", "--tokenizer-mode"),
        ForeignFlag.Only("0", "the first request does not count, and warms both sides up", "--num-warmups", "--ready-check-timeout-sec"),
        ForeignFlag.Inert(ForeignValue.Switch, "code of a checkpoint is never run", "--trust-remote-code"),
        ForeignFlag.Inert(ForeignValue.Switch, "the bar is on terminals only", "--disable-tqdm"),
        ForeignFlag.Inert(ForeignValue.One, "results have the server's and the model's name", "--label", "--request-id-prefix"),
        ForeignFlag.Inert(ForeignValue.List, "results have the server's and the model's name", "--metadata"),
        ForeignFlag.Refused(ForeignValue.Switch, NoBeams, "--use-beam-search"),
        ForeignFlag.Refused(ForeignValue.Switch, NoProfile, "--profile"),
        ForeignFlag.Refused(ForeignValue.Switch, "use --save-result", "--save-detailed", "--append-result"),
        ForeignFlag.Refused(ForeignValue.One, "requests are sent without log-probabilities", "--logprobs"),
        ForeignFlag.Refused(ForeignValue.List, "a key is taken from OPENAI_API_KEY; no other header is sent", "--header"),
        ForeignFlag.Refused(
            ForeignValue.One, "use a list of rates: --request-rate 1,2,4", "--ramp-up-strategy", "--ramp-up-start-rps",
            "--ramp-up-end-rps"),
        ForeignFlag.Refused(ForeignValue.List, "adapters (LoRA) are not loaded", "--lora-modules"),
    ];

    /// <summary>Before there were kinds of datasets, a file was one of ShareGPT.</summary>
    private static ForeignFlag OldDataset => new(
        ["--dataset"], ForeignValue.One, use => ForeignAnswer.Of(("--dataset-name", "sharegpt"), ("--dataset-path", use.Value)));

    private static ForeignAnswer SpeculativeConfig(ForeignUse use)
    {
        var options = new List<(string, string)>();
        try
        {
            using var document = JsonDocument.Parse(use.Value);
            foreach (var member in document.RootElement.EnumerateObject())
            {
                var value = member.Value.ToString();
                switch (member.Name, value)
                {
                    case ("method", "ngram" or "[ngram]"):
                        options.Add((WorkerFlags.SpeculativeModel.Name, DraftOptions.Ngram));
                        break;
                    case ("method", "draft_model"):
                    case ("draft_tensor_parallel_size", "1"):
                        break;
                    case ("model", _):
                        options.Add((WorkerFlags.SpeculativeModel.Name, value == "ngram" ? DraftOptions.Ngram : value));
                        break;
                    case ("num_speculative_tokens", _):
                        options.Add((WorkerFlags.NumSpeculativeTokens.Name, value));
                        break;
                    case ("prompt_lookup_max", _):
                        options.Add(("--ngram-prompt-lookup-max", value));
                        break;
                    case ("prompt_lookup_min", _):
                        options.Add(("--ngram-prompt-lookup-min", value));
                        break;
                    default:
                        return new ForeignAnswer
                        {
                            Error = $"'{member.Name}': {value} is not possible; known are method (ngram, draft_model), model, "
                                + "num_speculative_tokens, prompt_lookup_max and prompt_lookup_min",
                        };
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return new ForeignAnswer { Error = $"expected an object in JSON: {exception.Message}" };
        }

        return new ForeignAnswer { Options = options };
    }
}
