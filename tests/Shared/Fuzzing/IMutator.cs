namespace Cluster.Tests.Shared.Fuzzing;

/// <summary>Damages one input. The same random numbers damage the same way.</summary>
internal interface IMutator
{
    byte[] Mutate(byte[] original, Random random);
}
