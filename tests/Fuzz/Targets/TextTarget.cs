using System.Text;

namespace Cluster.Fuzz.Targets;

/// <summary>A target that is a function of a text.</summary>
/// <param name="run">Throws what <paramref name="isRefusal"/> knows to refuse.</param>
internal sealed class TextTarget(
    string name, IReadOnlyList<byte[]> seeds, IMutator mutator, Func<Exception, bool> isRefusal, Action<string> run) : IFuzzTarget
{
    public string Name => name;

    public IReadOnlyList<byte[]> Seeds => seeds;

    public IMutator Mutator => mutator;

    public FuzzLimits Limits { get; init; } = FuzzLimits.Default;

    /// <summary>What is disposed with it.</summary>
    public IDisposable? Owned { get; init; }

    public Verdict Run(byte[] input)
    {
        try
        {
            run(Encoding.UTF8.GetString(input));
            return Verdict.Accepted;
        }
        catch (Exception exception) when (isRefusal(exception))
        {
            return Verdict.Refused(exception.Message);
        }
    }

    public void Dispose() => Owned?.Dispose();
}
