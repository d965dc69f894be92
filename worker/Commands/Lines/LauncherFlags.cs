using System.Globalization;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Commands.Lines;

/// <summary>Options of TGI's launcher. Part of <see cref="ForeignFlags"/>.</summary>
internal static class LauncherFlags
{
    private const int TokensOfBlock = 16;

    /// <summary>What is more than another name of an option in <see cref="WorkerFlags"/>.</summary>
    public static IReadOnlyList<ForeignFlag> Special { get; } =
    [
        new(["--sharded"], ForeignValue.Switch, Sharded) { IsLate = true },
        new(["--max-batch-total-tokens"], ForeignValue.One, TotalTokens),
        new(["--speculate"], ForeignValue.One, Speculate),
    ];

    public static IReadOnlyList<ForeignFlag> All { get; } =
    [
        ForeignFlag.Means("--max-input-tokens", "--max-input-length"),
        ForeignFlag.Means("--download-dir", "--huggingface-hub-cache", "--weights-cache-override"),
        ForeignFlag.Means("--max-request-bytes", "--payload-limit"),
        ForeignFlag.Inert(
            ForeignValue.One, "requests are checked by the engine's own limits", "--validation-workers", "--max-best-of",
            "--max-stop-sequences", "--max-top-n-tokens", "--max-client-batch-size"),
        ForeignFlag.Inert(
            ForeignValue.One, "every step takes waiting requests in, as far as its budget goes", "--waiting-served-ratio",
            "--max-waiting-tokens"),
        ForeignFlag.Inert(ForeignValue.Switch, "log-probabilities of prompts are always possible", "--enable-prefill-logprobs"),
        ForeignFlag.Inert(
            ForeignValue.Switch, "log lines are for people; OTEL_EXPORTER_OTLP_ENDPOINT sends structured ones", "--json-output"),
        ForeignFlag.Inert(ForeignValue.Switch, "there are no kernels but our own", "--disable-custom-kernels"),
        ForeignFlag.Inert(ForeignValue.One, "nothing is counted or sent", "--usage-stats"),
        ForeignFlag.Inert(
            ForeignValue.One, "ranks meet in shared memory", "--shard-uds-path", "--master-addr", "--master-port", "--cuda-graphs"),
        ForeignFlag.Refused(ForeignValue.One, "use --chat-template FILE", "--tokenizer-config-path"),
        ForeignFlag.Refused(ForeignValue.Switch, "GET /metrics is on the port of the API; a proxy can open a tunnel", "--ngrok"),
        ForeignFlag.Refused(ForeignValue.One, "outputs are not watermarked", "--watermark-gamma", "--watermark-delta"),
        ForeignFlag.Refused(ForeignValue.None, "collect-env prints versions, machine and devices", "--env", "-e"),
    ];

    /// <summary>True spreads the model over every GPU that was given; false keeps it on one, whatever <c>--num-shard</c> says.</summary>
    private static ForeignAnswer Sharded(ForeignUse use)
    {
        var size = WorkerFlags.TensorParallelSize.Name;
        if (use.IsOff)
        {
            return ForeignAnswer.Of((size, "1"));
        }

        if (use.IsGiven(size))
        {
            return new ForeignAnswer();
        }

        return use.Variables.TryGetValue(VisibleDevices.Variable, out var devices) && devices.Length > 0
            ? ForeignAnswer.Of((size, devices.Split(',').Length.ToString(CultureInfo.InvariantCulture)))
            : new ForeignAnswer { Error = $"how many GPUs? Add --num-shard N, or name them in {VisibleDevices.Variable}" };
    }

    private static ForeignAnswer TotalTokens(ForeignUse use) =>
        int.TryParse(use.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var tokens) && tokens > 0
            ? ForeignAnswer.Of(
                ("--num-gpu-blocks-override", ((tokens - 1) / TokensOfBlock + 1).ToString(CultureInfo.InvariantCulture)))
            : new ForeignAnswer { Error = "must be a number of tokens" };

    /// <summary>A model without heads of its own for it is speculated on by n-grams.</summary>
    private static ForeignAnswer Speculate(ForeignUse use) => use.Value == "0"
        ? new ForeignAnswer()
        : ForeignAnswer.Of((WorkerFlags.SpeculativeModel.Name, "[ngram]"), (WorkerFlags.NumSpeculativeTokens.Name, use.Value));
}
