using Cluster.Worker.Compute;
using Cluster.Worker.Models;

namespace Cluster.Worker.Tests.Models;

/// <summary>A checkpoint with some names taken away, and others answered with another tensor of it.</summary>
internal sealed class EditedWeights(WeightSource original) : WeightSource
{
    private readonly HashSet<string> removed = [];
    private readonly Dictionary<string, string> aliases = [];

    public override string Location => original.Location;

    public override IReadOnlyCollection<string> Names => [.. original.Names.Except(removed), .. aliases.Keys.Except(original.Names)];

    public override long TotalBytes => original.TotalBytes;

    public EditedWeights Without(string name)
    {
        removed.Add(name);
        return this;
    }

    public EditedWeights With(string name, string sameAs)
    {
        aliases.Add(name, sameAs);
        return this;
    }

    public override HostTensor? Find(string name) => removed.Contains(name) ? null : original.Find(aliases.GetValueOrDefault(name, name));
}
