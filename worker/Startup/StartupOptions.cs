using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Startup;

/// <summary>All that decides how a worker comes to be. Read from the command line by the commands; the first link of the chain
/// options → <see cref="BackendFactory"/> → <see cref="ReplicaModel"/> → <see cref="TextEngine"/>.</summary>
/// <param name="Model">A folder, a model of the hub, or a synthetic model (<c>--model</c>).</param>
/// <param name="Device">What it runs on.</param>
/// <param name="Ranks">How it is spread over processes.</param>
/// <param name="Runner">What the model must hold at once.</param>
/// <param name="Engine">How requests are scheduled. The tokens that end a sequence are the model's and are filled in when it is
/// loaded.</param>
internal sealed record StartupOptions(
    string Model, DeviceOptions Device, RankOptions Ranks, ModelRunnerOptions Runner, EngineOptions Engine)
{
    /// <summary>Branch, tag or commit of a model on the hub; null for its main branch.</summary>
    public string? Revision { get; init; }

    /// <summary>Folder to download models to; null for the cache that the environment names.</summary>
    public string? DownloadFolder { get; init; }

    /// <summary>Whether a step must take the model's longest sequence whole: raises the runner's budget to that length, which is known when
    /// the model is.</summary>
    public bool StepHoldsLongest { get; init; }

    /// <summary>Null without speculative decoding.</summary>
    public DraftOptions? Draft { get; init; }

    /// <summary>Where the sampling of requests that do not say it comes from: <c>auto</c>, <c>none</c> or a folder.</summary>
    public string GenerationConfig { get; init; } = WorkerFlags.Auto;

    /// <summary>A JSON object with fields that stand above <see cref="GenerationConfig"/>; null for none.</summary>
    public string? GenerationOverrides { get; init; }

    /// <summary>A file with a chat template, or the template itself; null for the checkpoint's.</summary>
    public string? ChatTemplate { get; init; }
}
