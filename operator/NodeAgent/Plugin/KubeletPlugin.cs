using Cluster.Operator.Api;
using Grpc.Core;

namespace Cluster.Operator.NodeAgent.Plugin;

/// <summary>Offers the machine's GPUs to its kubelet, each as a resource of its own, and keeps at it: the second way for pinned pods to get
/// at their devices, without privileges. Told by <see cref="NodeAgentLoop"/> which GPUs there are.</summary>
/// <remarks>
/// A look, every second:
/// <code>
/// 1. others are offered, or a socket is gone (a kubelet that starts empties its folder)  → all sockets anew
/// 2. kubelet.sock is another one than we registered with (the kubelet was restarted)     → register again
/// 3. not registered → register every resource; the kubelet connects, and watches its socket
/// </code>
/// What fails is said by <see cref="Status"/> and tried again after 1 s, 2 s, … 1 min. Source: kubernetes.io, "Device Plugins".
/// </remarks>
internal sealed class KubeletPlugin(KubeletPluginOptions options)
{
    private const int LongestStatus = 256;

    private readonly string _kubelet = Path.Combine(options.Folder, "kubelet.sock");
    private readonly Lock _lock = new();
    private IReadOnlyList<GpuPlugin>? _offered;
    private PluginServer? _server;
    private DateTime? _seen;
    private DateTime? _registeredWith;
    private TimeSpan _pause = options.Interval;
    private long _failedAt;
    private bool _failed;
    private volatile string _status = "not registered yet";

    /// <summary><see cref="NodeAnnotations.PluginRegistered"/>, or what keeps it from that.</summary>
    public string Status => _status;

    /// <summary>What is wrong, in words; null when all is well.</summary>
    public string? Problem => Status == NodeAnnotations.PluginRegistered ? null : $"device plugin: {Status}";

    /// <summary>Called, from any thread, when <see cref="Status"/> has changed.</summary>
    public Action Changed { get; set; } = () => { };

    /// <summary>The GPUs that there are now. One that was offered and is not among them is unhealthy, and its pods' own affair; when there
    /// are others instead, because somebody partitioned the GPUs, those are offered.</summary>
    /// <returns>What cannot be offered, in words.</returns>
    public List<string> Offer(GpuInventory inventory)
    {
        List<string> problems = [];
        var unique = GpuResource.HaveUniqueUuids(inventory.Gpus);
        var cdiNames = CdiSpecifications.Read(options.CdiFolders, problems);
        List<OfferedGpu> found = [];
        foreach ((var gpu, var minor) in inventory.Gpus.Zip(inventory.RenderMinors))
        {
            if (OfferedGpu.Of(gpu, minor, unique, cdiNames) is { } offered)
            {
                found.Add(offered);
            }
            else
            {
                problems.Add($"GPU {gpu.Index} is not offered to the kubelet: the driver does not tell its render node");
            }
        }

        lock (_lock)
        {
            var known = _offered?.Select(plugin => plugin.Gpu).ToHashSet() ?? [];

            // While a GPU cannot be opened, those behind it have other numbers than they should.
            if (inventory.Problems.Count == 0 && (_offered is null || !found.TrueForAll(known.Contains)))
            {
                _offered = [.. found.Select(gpu => new GpuPlugin(gpu))];
            }

            foreach (var plugin in _offered ?? [])
            {
                plugin.Healthy = found.Contains(plugin.Gpu);
            }
        }

        return problems;
    }

    /// <summary>Runs until cancelled; the sockets are gone then.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await LookAsync(cancellationToken);
            await Task.Delay(options.Interval, options.Time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await StopServerAsync();
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<GpuPlugin>? offered;
        lock (_lock)
        {
            offered = _offered;
        }

        var kubelet = Identity();
        if (kubelet != _seen)
        {
            // Another kubelet need not refuse what the last one did.
            (_seen, _registeredWith, _failed) = (kubelet, null, false);
        }

        if (offered is null || (_failed && options.Time.GetElapsedTime(_failedAt) < _pause))
        {
            return;
        }

        try
        {
            if (_server is null || !ReferenceEquals(_server.Plugins, offered) || !_server.IsReachable)
            {
                _registeredWith = null;
                await StopServerAsync();
                _server = await PluginServer.StartAsync(options.Folder, offered, cancellationToken);
            }

            if (kubelet is null)
            {
                Fail($"there is no {_kubelet}; the kubelet is not running, or its folder is another one");
            }
            else if (_registeredWith is null)
            {
                await KubeletRegistration.RegisterAsync(
                    _kubelet, offered.Select(plugin => plugin.Gpu), options.Time, cancellationToken);
                _registeredWith = kubelet;
                (_failed, _pause) = (false, options.Interval);
                Say(NodeAnnotations.PluginRegistered);
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // Told to stop in the middle of it.
        }
        catch (RpcException e)
        {
            Fail(e.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.Internal
                ? $"the kubelet cannot be reached at {_kubelet}: {e.Status.Detail}"
                : $"the kubelet refuses: {e.Status.Detail}");
        }
        catch (Exception e)
        {
            // Whatever it is, the kubelet may take the GPUs at the next attempt.
            Fail(e.Message);
        }
    }

    /// <summary>When the kubelet made its socket; null while there is none. It makes a new one whenever it starts.</summary>
    private DateTime? Identity()
    {
        FileInfo socket = new(_kubelet);
        return socket.Exists ? socket.LastWriteTimeUtc : null;
    }

    private void Fail(string reason)
    {
        _pause = !_failed ? options.Interval : _pause * 2 < options.LongestPause ? _pause * 2 : options.LongestPause;
        (_failed, _failedAt) = (true, options.Time.GetTimestamp());
        Say(reason.Length <= LongestStatus ? reason : $"{reason.AsSpan(0, LongestStatus)} …");
    }

    private void Say(string status)
    {
        if (status == _status)
        {
            return;
        }

        _status = status;
        if (Problem is null)
        {
            options.Logger.LogInformation("{Count} GPUs are registered with the kubelet, each as a resource", _server!.Plugins.Count);
        }
        else
        {
            options.Logger.LogWarning("{Problem}", Problem);
        }

        Changed();
    }

    private async Task StopServerAsync()
    {
        if (_server is { } server)
        {
            _server = null;
            await server.DisposeAsync();
        }
    }
}
