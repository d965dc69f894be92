namespace Cluster.Fuzz.Running;

/// <summary>How long and how to run. Written by <see cref="Supervisor"/> for the process that it starts.</summary>
/// <param name="Targets">Their names, in order.</param>
/// <param name="Inputs">Inputs of each target, less where one costs more; null for <paramref name="Seconds"/>.</param>
/// <param name="Seconds">Time of each target, where it is not inputs that are counted.</param>
/// <param name="Coverage">Whether the assemblies are instrumented: an input that takes a new branch is kept.</param>
/// <param name="Findings">Folder for the inputs that fail.</param>
/// <param name="Corpus">Folder where inputs worth keeping are kept from run to run; null for nowhere.</param>
internal sealed record RunOptions(
    IReadOnlyList<string> Targets, int Seed, long? Inputs, double Seconds, bool Coverage, string Findings, string? Corpus);
