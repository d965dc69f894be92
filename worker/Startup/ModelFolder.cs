using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Startup;

/// <summary>Turns what <c>--model</c> and <c>--speculative-model</c> name into folders with checkpoints, or GGUF files and synthetic
/// models, which stand for folders; downloads those that are on the hub. Called by the commands before <see cref="TextEngine"/>; calls
/// <see cref="HubModelStore"/>.</summary>
internal static class ModelFolder
{
    /// <exception cref="StartupException">The options name a synthetic model that there is not.</exception>
    /// <exception cref="HubFormatException">They name no model.</exception>
    public static ModelSource SourceOf(StartupOptions options) => Parse(options.Model, options.Revision);

    /// <param name="log">Told what happens, one line per fact.</param>
    /// <returns>The folders; for a model on the hub its snapshot in the cache.</returns>
    /// <exception cref="StartupException">The options name a synthetic model that there is not.</exception>
    public static async Task<ModelFolders> PrepareAsync(StartupOptions options, Action<string> log, CancellationToken cancellationToken)
    {
        var model = await PrepareAsync(SourceOf(options), options.DownloadFolder, log, cancellationToken);
        return options.Draft is { IsNgram: false } draft
            ? new ModelFolders(
                model, await PrepareAsync(Parse(draft.Model, revision: null), options.DownloadFolder, log, cancellationToken))
            : new ModelFolders(model);
    }

    /// <summary>Brings a model to this machine without loading it.</summary>
    /// <param name="cacheFolder">Where to; null for the hub's own cache.</param>
    /// <returns>Its folder, or its GGUF file.</returns>
    /// <exception cref="StartupException">It is synthetic, or a folder without a whole checkpoint.</exception>
    public static async Task<string> FetchAsync(
        string model, string? cacheFolder, Action<string> log, CancellationToken cancellationToken)
    {
        var path = await PrepareAsync(Parse(model, revision: null), cacheFolder, log, cancellationToken);
        if (GgufModel.PathOf(path) is null && NeededFiles.MissingIn(path) is { } missing)
        {
            throw new StartupException($"{path} is no whole checkpoint: {missing} is missing");
        }

        return path;
    }

    /// <summary>A folder, or a GGUF file or a synthetic model, whose parts are shown under its path, so that it stands for
    /// one.</summary>
    /// <returns>Null where there is none.</returns>
    /// <exception cref="StartupException">There is no such synthetic model.</exception>
    /// <exception cref="CheckpointFormatException">A GGUF file breaks the format, or a folder has several.</exception>
    public static string? OnDisk(string path)
    {
        if (SyntheticModel.IsSource(path))
        {
            return Synthetic(path).Name;
        }

        if (GgufModel.PathOf(path) is { } file)
        {
            GgufModel.Open(file);
            return file;
        }

        return Directory.Exists(path) ? path : null;
    }

    private static ModelSource Parse(string model, string? revision) =>
        SyntheticModel.IsSource(model)
            ? new ModelSource.Synthetic(Synthetic(model).Name)
            : ModelSource.Parse(model, revision, path => Directory.Exists(path) || GgufModel.PathOf(path) is not null);

    private static SyntheticModel Synthetic(string model)
    {
        try
        {
            return SyntheticModel.Find(model);
        }
        catch (ArgumentException exception)
        {
            throw new StartupException(exception.Message, exception);
        }
    }

    private static Task<string> PrepareAsync(
        ModelSource source, string? cacheFolder, Action<string> log, CancellationToken cancellationToken) =>
        source switch
        {
            ModelSource.Hub hub => DownloadAsync(hub.Model, cacheFolder, log, cancellationToken),
            ModelSource.Synthetic synthetic => Task.FromResult(synthetic.Name),
            ModelSource.Folder folder => Task.FromResult(OnDisk(folder.Path) ?? folder.Path),
            var other => throw new InvalidOperationException($"no way to load {other}"),
        };

    private static async Task<string> DownloadAsync(
        HubModel model, string? cacheFolder, Action<string> log, CancellationToken cancellationToken)
    {
        using var http = HubClient.CreateHttpClient();
        var store = new HubModelStore(http, HubEnvironment.OfProcess(cacheFolder), new HubOptions(), TimeProvider.System, log);
        return await DownloadBar.RunAsync(model.Repository, log, progress => store.FetchAsync(model, progress, cancellationToken));
    }
}
