using System.Diagnostics.CodeAnalysis;

namespace Cluster.Tests.Shared.Fuzzing;

/// <summary>One of several, by chance.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed class AnyMutator(params IMutator[] mutators) : IMutator
{
    public byte[] Mutate(byte[] original, Random random) => mutators[random.Next(mutators.Length)].Mutate(original, random);
}
