using System.CommandLine;
using Cluster.Worker.Models;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Commands;

/// <summary>Turns what <c>--model</c> names into a folder with a checkpoint, downloading it where it is on the hub. Called by serve and generate before
/// <see cref="LoadedWorker"/>; calls <see cref="HubModelStore"/>.</summary>
internal static class ModelFolder
{
    /// <exception cref="CommandFailure">The flags name a model that cannot be talked to.</exception>
    /// <exception cref="HubFormatException">They name no model.</exception>
    public static ModelSource SourceOf(EngineFlags flags, ParseResult arguments)
    {
        var model = arguments.GetRequiredValue(flags.Model);
        return Parse(model, arguments.GetValue(flags.Revision));
    }

    private static ModelSource Parse(string model, string? revision) =>
        SyntheticModel.IsSource(model)
            ? throw new CommandFailure($"{model} has no tokenizer, so it can be measured but not talked to")
            : ModelSource.Parse(model, revision, Directory.Exists);

    /// <param name="log">Told what happens, one line a fact.</param>
    /// <returns>The folder; for a repository its snapshot in the cache.</returns>
    public static Task<string> PrepareAsync(EngineFlags flags, ParseResult arguments, Action<string> log, CancellationToken cancellationToken) =>
        PrepareAsync(SourceOf(flags, arguments), flags, arguments, log, cancellationToken);

    /// <summary>As <see cref="PrepareAsync(EngineFlags, ParseResult, Action{string}, CancellationToken)"/>, for what <c>--speculative-model</c> names.</summary>
    /// <returns>Null where it names no model.</returns>
    public static async Task<string?> PrepareDraftAsync(EngineFlags flags, ParseResult arguments, Action<string> log, CancellationToken cancellationToken) =>
        arguments.GetValue(flags.Speculation.Model) is { } model and not SpeculationFlags.Ngram
            ? await PrepareAsync(Parse(model, revision: null), flags, arguments, log, cancellationToken)
            : null;

    private static Task<string> PrepareAsync(ModelSource source, EngineFlags flags, ParseResult arguments, Action<string> log, CancellationToken cancellationToken) =>
        source switch
        {
            ModelSource.Hub hub => DownloadAsync(hub.Model, arguments.GetValue(flags.DownloadDir), log, cancellationToken),
            ModelSource.Folder folder => Task.FromResult(folder.Path),
            var other => throw new InvalidOperationException($"no way to load {other}"),
        };

    private static async Task<string> DownloadAsync(HubModel model, string? cacheFolder, Action<string> log, CancellationToken cancellationToken)
    {
        using var http = HubClient.CreateHttpClient();
        var store = new HubModelStore(http, HubEnvironment.OfProcess(cacheFolder), new HubOptions(), TimeProvider.System, log);
        return await DownloadBar.RunAsync(model.Repository, log, progress => store.FetchAsync(model, progress, cancellationToken));
    }
}
