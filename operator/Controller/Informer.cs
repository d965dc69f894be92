using Cluster.Operator.Kubernetes;
using k8s;
using k8s.Models;
using KubernetesException = Cluster.Operator.Kubernetes.KubernetesException;

namespace Cluster.Operator.Controller;

/// <summary>Keeps an <see cref="ObjectStore{T}"/> equal to the API server's state of one kind and tells handlers about every
/// change.</summary>
/// <remarks>
/// <code>
/// 1. list everything → the store becomes exactly that; objects no longer listed are reported as missed deletions
/// 2. watch from the list's version; every event and bookmark moves the version on
/// 3. stream ends → 2 from the last version seen, at once if it had brought anything; breaks → the same after a growing pause
/// 4. the version is gone (410), not there yet (504) or the server refuses it → 1
/// </code>
/// The store is written before the handlers run, so a handler, and whoever it wakes, never reads less than it was told.
/// </remarks>
internal sealed class Informer<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly IKubernetesClient _client;
    private readonly string? _namespace;
    private readonly Selection? _selection;
    private readonly ILogger _logger;
    private readonly JitteredBackoff _backoff;
    private readonly Readiness _readiness;
    private readonly List<Action<ObjectChange<T>>> _handlers = [];
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isWaiting;

    /// <param name="namespace">Null for all.</param>
    /// <param name="readiness">Where it says what it waits for; null for nowhere.</param>
    public Informer(
        IKubernetesClient client, string? @namespace, Selection? selection, TimeProvider time, Random random, ILogger logger,
        Readiness? readiness = null)
    {
        _readiness = readiness ?? new Readiness();
        _readiness.Set(Plural, isWell: false, "have not been listed yet");
        _client = client;
        _namespace = @namespace;
        _selection = selection;
        _logger = logger;
        _backoff = new JitteredBackoff(TimeSpan.FromMilliseconds(800), TimeSpan.FromSeconds(30), time, random);
    }

    public ObjectStore<T> Store { get; } = new();

    private static string Plural => ResourceDefinition.Of<T>().Plural;

    /// <summary>True once the first list is in the store and its handlers have run.</summary>
    public bool HasSynced => _synced.Task.IsCompletedSuccessfully;

    /// <summary>Completes with <see cref="HasSynced"/>.</summary>
    public Task WhenSynced => _synced.Task;

    /// <summary>Handlers run one change at a time, in order, on the informer's own loop: they must be quick. Add them before
    /// <see cref="RunAsync"/>.</summary>
    public void OnChange(Action<ObjectChange<T>> handler) => _handlers.Add(handler);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        string? version = null;
        while (!cancellationToken.IsCancellationRequested)
        {
            // A stream that brought something worked: when it ends, which it does every few minutes, nothing is wrong.
            var worked = false;
            try
            {
                version ??= await ListAsync(cancellationToken);
                await foreach (var change in _client.WatchAsync<T>(_namespace, version, _selection, Opened, cancellationToken))
                {
                    Apply(change);
                    version = change.Object.Metadata.ResourceVersion ?? version;
                    worked = true;
                }

                if (worked)
                {
                    _backoff.Reset();
                    continue;
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (KubernetesException e) when (!HasSynced && e.StatusCode is >= 400 and < 500 and not (408 or 410 or 429))
            {
                // Nothing is known yet, and the server will not say it: our role, our token, or a kind that it does not have.
                Wait($"cannot be listed: {e.Message}");
            }
            catch (KubernetesException e) when (e.StatusCode is >= 400 and < 500 and not (408 or 429) || e.IsTooLargeResourceVersion)
            {
                // 410: history compacted; 504: history turned back. Any other refusal is not cured by asking for the same version again.
                if (e.IsGone || e.IsTooLargeResourceVersion)
                {
                    _logger.LogInformation(
                        "{Kind} cannot be read from version {Version} ({Message}); listing again", Plural, version ?? "any", e.Message);
                }
                else
                {
                    Wait($"cannot be read: {e.Message}");
                }

                version = null;
            }
            catch (Exception e)
            {
                Wait($"{(HasSynced ? "cannot be watched" : "cannot be listed")}: {e.Message}");
                if (worked)
                {
                    _backoff.Reset();
                }
            }

            try
            {
                await _backoff.PauseAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task<string> ListAsync(CancellationToken cancellationToken)
    {
        var list = await _client.ListAsync<T>(_namespace, _selection, cancellationToken);
        HashSet<NamespacedName> listed = [.. list.Items.Select(NamespacedName.Of)];
        foreach (var known in Store.List())
        {
            if (!listed.Contains(NamespacedName.Of(known)))
            {
                Remove(known, missed: true);
            }
        }

        foreach (var item in list.Items)
        {
            Put(item);
        }

        _synced.TrySetResult();
        return list.ResourceVersion;
    }

    private void Apply(WatchEvent<T> change)
    {
        switch (change.Type)
        {
            case WatchEventType.Added or WatchEventType.Modified:
                Put(change.Object);
                break;
            case WatchEventType.Deleted:
                Remove(change.Object, missed: false);
                break;
            case WatchEventType.Bookmark:
                break;
        }
    }

    private void Put(T value)
    {
        var before = Store.Get(NamespacedName.Of(value));
        if (before is not null && before.Metadata.Uid != value.Metadata.Uid)
        {
            // Deleted and made again while we were not looking: two changes, not one.
            Remove(before, missed: true);
            before = null;
        }

        if (before is not null && before.Metadata.ResourceVersion == value.Metadata.ResourceVersion)
        {
            return;
        }

        Store.Put(value);
        Tell(new ObjectChange<T>(before is null ? ChangeType.Added : ChangeType.Updated, before, value));
    }

    private void Remove(T last, bool missed)
    {
        if (Store.Remove(NamespacedName.Of(last)) is { } before)
        {
            Tell(new ObjectChange<T>(ChangeType.Deleted, before, last, missed));
        }
    }

    /// <summary>The cache shows what the server has and will go on to. A list alone is not enough: who may list may not be allowed to
    /// watch.</summary>
    private void Opened()
    {
        _readiness.Set(Plural, isWell: true, "are in the cache");
        if (_isWaiting)
        {
            _isWaiting = false;
            _logger.LogInformation("{Kind} are read again", Plural);
        }
    }

    /// <summary>Said once for each change: the next try comes in a moment.</summary>
    private void Wait(string why)
    {
        _isWaiting = true;
        if (_readiness.Set(Plural, isWell: false, why))
        {
            _logger.LogWarning("{Kind} {Problem}; waiting until they can be", Plural, why);
        }
    }

    private void Tell(ObjectChange<T> change)
    {
        foreach (var handler in _handlers)
        {
            try
            {
                handler(change);
            }
            catch (Exception e)
            {
                // One broken handler must neither starve the others nor stop the store from following the server.
                _logger.LogError(
                    e, "A handler failed on {Change} of {Kind} {Key}", change.Type, ResourceDefinition.Of<T>().Kind,
                    NamespacedName.Of(change.Object));
            }
        }
    }
}
