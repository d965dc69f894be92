namespace Cluster.Worker.Models.Running;

/// <summary>Where a layer's keys and values are in the cache.</summary>
/// <param name="Group">Whose block tables find its blocks.</param>
/// <param name="Region">Its part of each such block.</param>
internal readonly record struct KvPlace(int Group, int Region);
