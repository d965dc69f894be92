namespace Cluster.Fuzz.Running;

/// <summary>What is wrong with how a target took an input.</summary>
/// <param name="Key">Failures of one target with the same key are one: they have the same cause.</param>
/// <param name="Title">One line.</param>
/// <param name="Detail">All there is to know, as a stack.</param>
internal sealed record Failure(string Key, string Title, string Detail);
