using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Sources;

/// <summary>Turns a repository of the hub into a folder on this machine. Called by the commands before <see cref="ModelLoader"/>; calls
/// <see cref="HubClient"/>, <see cref="HubCache"/> and one <see cref="BlobDownload"/> a file.
/// <code>
/// 1  ask the hub for commit and files     no connection: the last complete snapshot will do
/// 2  download the weight index, where the weights are split and it is not there yet
/// 3  download what else is missing: small files, and the weights that the index names
/// 4  remember the revision's commit
/// </code>
/// With everything in the cache that is one request.</summary>
internal sealed class HubModelStore
{
    private readonly HubEnvironment _environment;
    private readonly HubOptions _options;
    private readonly Action<string> _log;
    private readonly Func<string, long> _freeBytes;
    private readonly HubRetry _retry;
    private readonly HubClient _client;
    private readonly HubCache _cache;
    private readonly BlobDownload _download;

    /// <param name="http">See <see cref="HubClient.CreateHttpClient"/>.</param>
    /// <param name="time">Measures stalls and reads <c>Retry-After</c> dates.</param>
    /// <param name="log">Told what happens, one line a fact.</param>
    /// <param name="pause">Waits between attempts; null waits by <paramref name="time"/>.</param>
    /// <param name="freeBytes">Bytes a folder's disk has left; null asks the system.</param>
    /// <param name="random">Spreads attempts; null takes the shared one.</param>
    public HubModelStore(
        HttpClient http,
        HubEnvironment environment,
        HubOptions options,
        TimeProvider time,
        Action<string> log,
        Func<TimeSpan, CancellationToken, Task>? pause = null,
        Func<string, long>? freeBytes = null,
        Random? random = null)
    {
        _environment = environment;
        _options = options;
        _log = log;
        _freeBytes = freeBytes ?? (folder => new DriveInfo(folder).AvailableFreeSpace);
        pause ??= (duration, cancellationToken) => Task.Delay(duration, time, cancellationToken);
        _retry = new HubRetry(options, pause, random ?? Random.Shared, log);
        _client = new HubClient(http, environment, options, time);
        _cache = new HubCache(environment.CacheFolder);
        _download = new BlobDownload(_client, _cache, _retry, options, time, pause, log);
    }

    /// <summary>Brings a revision's files into the cache, where they are not there yet.</summary>
    /// <returns>The snapshot folder: a checkpoint as <see cref="ModelLoader"/> reads it.</returns>
    /// <exception cref="HubException">It cannot be had: no access, no such thing, no connection, no disk.</exception>
    /// <exception cref="HubFormatException">What the hub said or sent cannot be trusted.</exception>
    /// <exception cref="CheckpointFormatException">The repository's weight index breaks the format.</exception>
    public async Task<string> FetchAsync(HubModel model, IProgress<HubProgress>? progress, CancellationToken cancellationToken)
    {
        if (_environment.Offline)
        {
            return Cached(model)
                ?? throw new HubException(
                    $"{model} is not in the cache {_cache.Folder}{WhatIsMissing(model)}, and HF_HUB_OFFLINE forbids downloading it");
        }

        if (await ListAsync(model, cancellationToken) is not { } listing)
        {
            return Cached(model)!;
        }

        var snapshot = _cache.SnapshotOf(model, listing.Commit);
        var tally = new DownloadTally(progress);
        string? indexPath = null;
        if (NeededFiles.Index(model, listing, _client.PageOf(model)) is { } index)
        {
            await FetchAsync(model, listing.Commit, [index], tally, cancellationToken);
            indexPath = Path.Combine(snapshot, index.Name);
        }

        await FetchAsync(model, listing.Commit, NeededFiles.Of(model, listing, indexPath), tally, cancellationToken);
        _cache.SetCommit(model, listing.Commit);
        return snapshot;
    }

    /// <returns>Null where the hub cannot be reached but the cache can stand in.</returns>
    private async Task<RepositoryListing?> ListAsync(HubModel model, CancellationToken cancellationToken)
    {
        var cached = Cached(model);
        try
        {
            return await RetriedAsync(() => _client.ListAsync(model, cancellationToken), cached is null ? null : 1, cancellationToken);
        }
        catch (HubException exception) when (exception.IsTransient && cached is not null)
        {
            _log($"{exception.Message}; using the snapshot {Path.GetFileName(cached)} from the cache");
            return null;
        }
    }

    private async Task FetchAsync(
        HubModel model, string commit, IReadOnlyList<HubFile> listed, DownloadTally tally, CancellationToken cancellationToken)
    {
        var files = new List<HubFile>(listed.Count);
        foreach (var file in listed)
        {
            files.Add(file is { Size: not null, Blob: not null }
                ? file
                : await RetriedAsync(() => _client.DescribeAsync(model, commit, file.Name, cancellationToken), null, cancellationToken));
        }

        tally.Expect(files);
        var missing = new List<HubFile>();
        foreach (var file in files)
        {
            if (_cache.HasFile(model, commit, file))
            {
                tally.Report(file, file.Size!.Value, done: true);
            }
            else
            {
                missing.Add(file);
            }
        }

        RequireSpace(model, missing);
        await System.Threading.Tasks.Parallel.ForEachAsync(
            missing,
            new ParallelOptions { MaxDegreeOfParallelism = _options.ParallelFiles, CancellationToken = cancellationToken },
            async (file, stop) =>
            {
                await _download.RunAsync(model, commit, file, bytes => tally.Report(file, bytes), stop);
                _cache.Link(model, commit, file);
                tally.Report(file, file.Size!.Value, done: true);
            });
    }

    private void RequireSpace(HubModel model, List<HubFile> missing)
    {
        var needed = missing
            .DistinctBy(file => file.Blob)
            .Where(file => !_cache.HasBlob(model, file.Blob!, file.Size!.Value))
            .Sum(file => Math.Max(0, file.Size!.Value - _cache.PartialBytes(model, file.Blob!)));
        if (needed == 0)
        {
            return;
        }

        Directory.CreateDirectory(_cache.Folder);
        var free = _freeBytes(_cache.Folder);
        if (free < needed)
        {
            throw new HubException(
                $"{model} needs {Size(needed)} more in {_cache.Folder}, where {Size(free)} are free: make room, or choose another disk "
                + "with --download-dir or HF_HOME");
        }

        _log($"{model}: downloading {missing.Count} {(missing.Count == 1 ? "file" : "files")}, {Size(needed)}, to {_cache.Folder}");
    }

    /// <summary>The snapshot that the revision had when it was last downloaded; null where there is none or it is not complete.</summary>
    private string? Cached(HubModel model) =>
        _cache.CommitOf(model) is { } commit && _cache.SnapshotOf(model, commit) is var folder && NeededFiles.MissingIn(folder) is null
            ? folder
            : null;

    private string WhatIsMissing(HubModel model) =>
        _cache.CommitOf(model) is { } commit && _cache.SnapshotOf(model, commit) is var folder && Directory.Exists(folder)
            ? $" (of commit {commit}, '{NeededFiles.MissingIn(folder)}' is missing)"
            : "";

    private Task<T> RetriedAsync<T>(Func<Task<T>> attempt, int? maxRetries, CancellationToken cancellationToken) =>
        _retry.RunAsync(attempt, () => 0, maxRetries, cancellationToken);

    private static string Size(long bytes) =>
        bytes >= 1 << 30 ? $"{bytes / (double)(1 << 30):F1} GiB" : $"{bytes / (double)(1 << 20):F1} MiB";
}
