using System.Numerics;
using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Cluster.Fuzz.Coverage;

/// <summary>With assemblies that SharpFuzz has instrumented, an input is new that goes from one branch to another as none did, or another
/// order of magnitude of times: what AFL calls new coverage. Nothing but the assemblies' counters is needed, no AFL and no
/// libFuzzer.</summary>
/// <remarks>Threads of a server share the counters; a few of its edges are those of two requests at once.</remarks>
internal sealed unsafe class SeenBranches : INovelty
{
    private const int Edges = 1 << 16;

    private static readonly byte* Counters = (byte*)NativeMemory.AllocZeroed(Edges);

    private readonly byte[] _seen = new byte[Edges];

    /// <summary>To be called before any instrumented code runs: it writes to the counters.</summary>
    public static void Attach() => Trace.SharedMem = Counters;

    /// <summary>Pairs of branches that were seen one after the other.</summary>
    public int Count => _seen.Count(seen => seen != 0);

    public void Begin()
    {
        new Span<byte>(Counters, Edges).Clear();
        Trace.PrevLocation = 0;
    }

    public bool IsNew(Verdict verdict)
    {
        var isNew = false;
        for (var word = 0; word < Edges; word += sizeof(ulong))
        {
            if (*(ulong*)(Counters + word) == 0)
            {
                continue;
            }

            for (var edge = word; edge < word + sizeof(ulong); edge++)
            {
                var magnitude = (byte)(Counters[edge] == 0 ? 0 : 1 << BitOperations.Log2(Counters[edge]));
                if ((_seen[edge] & magnitude) != magnitude)
                {
                    _seen[edge] |= magnitude;
                    isNew = true;
                }
            }
        }

        return isNew;
    }
}
