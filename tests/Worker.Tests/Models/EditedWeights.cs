using Cluster.Worker.Compute;
using Cluster.Worker.Models;

namespace Cluster.Worker.Tests.Models;

/// <summary>A checkpoint with some names taken away, and others answered with another tensor, of it or made up.</summary>
internal sealed class EditedWeights(WeightSource original) : WeightSource
{
    private readonly HashSet<string> removed = [];
    private readonly Dictionary<string, string> aliases = [];
    private readonly Dictionary<string, HostTensor> replacements = [];

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

    public EditedWeights With(string name, HostTensor tensor)
    {
        replacements.Add(name, tensor);
        return this;
    }

    public override string FileOf(string name) => original.FileOf(name);

    public override HostTensor? Find(string name) => replacements.TryGetValue(name, out var replacement)
        ? replacement
        : removed.Contains(name) ? null : original.Find(aliases.GetValueOrDefault(name, name));
}
