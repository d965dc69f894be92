namespace Cluster.Fuzz;

/// <summary>Something that reads what others wrote. It takes any bytes and accepts or refuses them; whatever else comes of them is a
/// failure, which <see cref="Running.Judge"/> tells.</summary>
internal interface IFuzzTarget : IDisposable
{
    /// <summary>As <c>--target</c> names it.</summary>
    string Name { get; }

    /// <summary>Sound inputs, as the repository's files have them: what is refused from the start tests nothing.</summary>
    IReadOnlyList<byte[]> Seeds { get; }

    IMutator Mutator { get; }

    FuzzLimits Limits => FuzzLimits.Default;

    /// <exception cref="FuzzFailure">It was accepted, but a property does not hold.</exception>
    /// <returns>Accepted, or refused in the way that the target declares. Any exception is a failure.</returns>
    Verdict Run(byte[] input);
}
