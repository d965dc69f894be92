using System.Runtime.CompilerServices;
using System.Text;
using Cluster.Fuzz;
using Cluster.Tests.Shared.Fuzzing;

namespace Cluster.EndToEnd.Tests.Fuzz;

/// <summary>A target that fails in every way it can, by the words of its input.</summary>
internal sealed class FragileTarget : IFuzzTarget
{
    public string Name => "fragile";

    public IReadOnlyList<byte[]> Seeds { get; } = ["sound"u8.ToArray()];

    public IMutator Mutator { get; } = new PieceMutator("throw", "lie", "eat", "no", " ", "x");

    public FuzzLimits Limits { get; } = FuzzLimits.Default with { AllocatedBytes = 8 << 20 };

    // A failure is known by its place, which is another one where the compiler has put this into its caller.
    [MethodImpl(MethodImplOptions.NoInlining)]
    public Verdict Run(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        if (text.Contains("eat", StringComparison.Ordinal))
        {
            GC.KeepAlive(new byte[16 << 20]);
        }

        return text.Contains("throw", StringComparison.Ordinal) ? throw new InvalidOperationException("thrown")
            : text.Contains("lie", StringComparison.Ordinal) ? throw new FuzzFailure("it is true", text)
            : text.Contains("no", StringComparison.Ordinal) ? Verdict.Refused("no")
            : Verdict.Accepted;
    }

    public void Dispose()
    {
    }
}
