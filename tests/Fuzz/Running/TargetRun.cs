using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Cluster.Fuzz.Coverage;

namespace Cluster.Fuzz.Running;

/// <summary>Runs one target: its seeds, then what is made of them, until time or inputs run out.</summary>
/// <param name="begin">Told of each input before it is run, so that it is known should the process end.</param>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed class TargetRun(IFuzzTarget target, RunOptions options, INovelty novelty, Action<byte[]> begin)
{
    private const int LeastInputs = 40;
    private const int MostFindings = 20;
    private const int MostTries = 1500;

    /// <summary>Of a failure that takes long to show.</summary>
    private const int MostSlowTries = 60;

    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(200);

    private readonly Dictionary<string, Finding> _findings = new(StringComparer.Ordinal);
    private readonly Corpus _corpus = new(
        [.. target.Seeds, .. Fixtures.Of(target.Name).Select(File.ReadAllBytes)],
        options.Corpus is { } folder ? Path.Combine(folder, target.Name) : null);

    private long _inputs;
    private long _accepted;
    private long _refused;
    private long _crashes;
    private TimeSpan _worst;
    private long _worstBytes;

    public TargetReport Run()
    {
        var random = new Random(SeedOf(target.Name, options.Seed));
        var started = Stopwatch.GetTimestamp();
        foreach (var seed in target.Seeds)
        {
            if (RunOne(seed) is { Refusal: { } why })
            {
                Add(new Failure("seed", $"a seed is refused: {why}", why), seed);
            }
        }

        foreach (var input in _corpus.Inputs.Skip(target.Seeds.Count).ToList())
        {
            RunOne(input);
        }

        var most = options.Inputs is { } inputs ? Math.Max(LeastInputs, inputs / target.Limits.Cost) : long.MaxValue;
        var time = options.Inputs is null ? TimeSpan.FromSeconds(options.Seconds) : TimeSpan.MaxValue;
        while (_inputs < most && Stopwatch.GetElapsedTime(started) < time)
        {
            RunOne(_corpus.Next(target.Mutator, random));
        }

        return new TargetReport(
            target.Name, _inputs, _accepted, _refused, _corpus.Kept, _crashes, _worst, _worstBytes, [.. _findings.Values]);
    }

    private Verdict? RunOne(byte[] input)
    {
        begin(input);
        novelty.Begin();
        var judgement = Judge.Run(target, input);
        _inputs++;
        _worst = judgement.Elapsed > _worst ? judgement.Elapsed : _worst;
        _worstBytes = Math.Max(_worstBytes, judgement.AllocatedBytes);
        if (judgement.Failure is { } failure)
        {
            _crashes++;
            if (_findings.Count < MostFindings && !_findings.ContainsKey(failure.Key))
            {
                Add(failure, Minimized(input, failure, judgement.Elapsed > Slow ? MostSlowTries : MostTries));
            }
        }
        else if (judgement.Verdict is { } verdict)
        {
            _ = verdict.IsAccepted ? _accepted++ : _refused++;
            if (novelty.IsNew(verdict))
            {
                _corpus.Keep(input);
            }
        }

        return judgement.Verdict;
    }

    private byte[] Minimized(byte[] input, Failure failure, int mostTries) => Minimizer.Minimize(
        input,
        candidate =>
        {
            begin(candidate);
            return Judge.Run(target, candidate).Failure?.Key == failure.Key;
        },
        mostTries);

    private void Add(Failure failure, byte[] input) =>
        _findings[failure.Key] = new Finding(target.Name, failure, Fixtures.Save(options.Findings, target.Name, input), input.Length);

    /// <summary>Each target has numbers of its own, whichever others run.</summary>
    private static int SeedOf(string name, int seed) =>
        BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{name} {seed}")));
}
