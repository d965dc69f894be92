using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Fuzz;

/// <summary>Judges how one damaged file ended: well, or in an error of ours that names the file, and with bounded memory.</summary>
internal sealed class Outcome
{
    /// <summary>Generous for kilobyte files, far from what a trusted length field of 2³¹ would take.</summary>
    private const long MaxAllocatedBytes = 256L << 20;

    private readonly List<string> _failures = [];

    public int Refused { get; private set; }

    public int Accepted { get; private set; }

    public IReadOnlyList<string> Failures => _failures;

    /// <param name="place">What an error's message must name: a file or its folder.</param>
    public void Run(string title, string place, Action read)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            read();
            Accepted++;
        }
        catch (TokenizationException)
        {
            // The file was sound enough to load; the text is to blame.
            Accepted++;
        }
        catch (Exception e)
            when (e is CheckpointFormatException or ModelConfigException or TokenizerFormatException or ChatTemplateException)
        {
            Refused++;
            if (!e.Message.Contains(place, StringComparison.Ordinal))
            {
                _failures.Add($"{title}: the error does not name {place}: {e.Message}");
            }
        }
        catch (Exception e)
        {
            _failures.Add($"{title}: {e}");
        }
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > MaxAllocatedBytes)
        {
            _failures.Add($"{title}: {allocated} bytes allocated");
        }
    }
}
