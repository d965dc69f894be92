using Cluster.Worker.Compute;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>Weights by name, as <see cref="WeightLoader"/> asks for them: a checkpoint on disk or generated ones.</summary>
internal abstract class WeightSource
{
    /// <summary>Folder or source, for messages.</summary>
    public abstract string Location { get; }

    public abstract IReadOnlyCollection<string> Names { get; }

    /// <summary>Bytes of all tensors as stored.</summary>
    public abstract long TotalBytes { get; }

    /// <summary>Whether there is such a tensor; makes none where tensors are made when asked for.</summary>
    public virtual bool Has(string name) => Find(name) is not null;

    /// <summary>Null when there is no such tensor.</summary>
    public abstract HostTensor? Find(string name);

    /// <summary>Says that nothing will be read for now, so that what was read need not stay in memory; it can still be read.</summary>
    public virtual void Forget()
    {
    }

    /// <summary>The file a message about this tensor should name.</summary>
    public virtual string FileOf(string name) => Location;
}
