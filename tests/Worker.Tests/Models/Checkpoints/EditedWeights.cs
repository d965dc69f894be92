using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Tests.Models.Checkpoints;

/// <summary>A checkpoint with some names taken away, and others answered with another tensor, of it or made up.</summary>
internal sealed class EditedWeights(WeightSource original) : WeightSource
{
    private readonly HashSet<string> _removed = [];
    private readonly Dictionary<string, string> _aliases = [];
    private readonly Dictionary<string, HostTensor> _replacements = [];

    public override string Location => original.Location;

    public override IReadOnlyCollection<string> Names =>
        [.. original.Names.Except(_removed), .. _aliases.Keys.Concat(_replacements.Keys).Except(original.Names)];

    public override long TotalBytes => original.TotalBytes;

    public EditedWeights Without(string name)
    {
        _removed.Add(name);
        return this;
    }

    public EditedWeights With(string name, string sameAs)
    {
        _aliases.Add(name, sameAs);
        return this;
    }

    public EditedWeights With(string name, HostTensor tensor)
    {
        _replacements.Add(name, tensor);
        return this;
    }

    public override string FileOf(string name) => original.Find(name) is null ? Location : original.FileOf(name);

    public override HostTensor? Find(string name) => _replacements.TryGetValue(name, out var replacement)
        ? replacement
        : _removed.Contains(name) ? null : original.Find(_aliases.GetValueOrDefault(name, name));
}
