using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>Steps as graphs: the first of a shape is computed, which builds its kernels and takes its memory, the second is captured, and
/// from then on it is replayed.</content>
internal sealed partial class IlgpuBackend
{
    /// <summary>Each has a node for every launch of a step, which drivers keep on the device: the shape that was not used for longest gives
    /// way.</summary>
    private const int MaxGraphs = 256;

    private readonly Dictionary<GraphShape, (IDisposable? Graph, long LastUse)> _graphs = [];
    private long _graphUses;
    private bool _isCapturing;
    private bool _cannotCapture;

    /// <summary>Ranks are captured where they talk from device to device; messages through the host cannot be.</summary>
    public override bool CapturesGraphs =>
        _launcher is IStreamLauncher && (_options.Communicator is not { Size: > 1 } || _options.Devices is not null);

    public override GraphUse BeginGraph(in GraphShape shape)
    {
        if (!CapturesGraphs || _cannotCapture)
        {
            return GraphUse.Compute;
        }

        var launcher = (IStreamLauncher)_launcher;
        var isKnown = _graphs.TryGetValue(shape, out var known);
        if (!isKnown && _graphs.Count >= MaxGraphs)
        {
            var oldest = _graphs.MinBy(one => one.Value.LastUse);
            _graphs.Remove(oldest.Key);
            Forget(oldest.Value.Graph);
        }

        _graphs[shape] = (known.Graph, ++_graphUses);
        if (known.Graph is { } graph)
        {
            launcher.Replay(graph);
            return GraphUse.Replayed;
        }

        if (!isKnown)
        {
            return GraphUse.Compute;
        }

        launcher.BeginCapture();
        _isCapturing = true;
        return GraphUse.Capture;
    }

    public override bool EndGraph(in GraphShape shape)
    {
        var launcher = (IStreamLauncher)_launcher;
        _isCapturing = false;
        var graph = launcher.EndCapture();
        if (!AllHave(graph is not null))
        {
            graph?.Dispose();

            // A driver that cannot do it once cannot do it at all: no more steps are slowed down by trying.
            _cannotCapture = true;
            return false;
        }

        _graphs[shape] = (graph, _graphUses);
        launcher.Replay(graph!);
        return true;
    }

    /// <summary>Whether every rank has what this one has. The library wants an operation captured by all ranks or by none; which steps are
    /// captured follows from their shapes, which are the same everywhere, but a driver may fail on one rank alone.</summary>
    private bool AllHave(bool hasOwn)
    {
        if (_options.Communicator is not { Size: > 1 } ranks)
        {
            return hasOwn;
        }

        Span<float> missing = [hasOwn ? 0 : 1];
        ranks.AllReduce(missing);
        return missing[0] == 0;
    }

    /// <summary>Memory that graphs were captured on moves: they are captured anew.</summary>
    private void ForgetGraphs()
    {
        if (_isCapturing)
        {
            throw new InvalidOperationException("memory between kernels grew while a graph was captured");
        }

        foreach (var (graph, _) in _graphs.Values)
        {
            Forget(graph);
        }

        _graphs.Clear();
    }

    private void Forget(IDisposable? graph)
    {
        if (graph is not null)
        {
            // It may still be running.
            _launcher.Synchronize();
            graph.Dispose();
        }
    }
}
