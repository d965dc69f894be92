using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Sources;

namespace Cluster.Benchmarks.Compare;

/// <summary>Prompts and decoding of one model: ours in this process, the peer's in its own, batch by batch in turn.</summary>
internal sealed class ModelRows(CompareRun run)
{
    private const int Context = 64;
    private const int Steps = 16;

    /// <param name="source">Ours; null for the peer's own file.</param>
    /// <param name="shape">The peer's: a synthetic model.</param>
    /// <param name="type">Of the peer's weights.</param>
    /// <param name="work">Of each row: tokens of a prompt, or sequences that decode.</param>
    public async Task MeasureAsync(
        string? source, string shape, GgufType type, IReadOnlyList<(CompareRow Row, int Prompt, int Sequences)> work,
        CancellationToken cancellationToken)
    {
        var wanted = work.Where(one => run.Options.Wants(one.Row)).ToArray();
        if (wanted.Length == 0)
        {
            return;
        }

        var file = run.Peer is null && source is not null ? "" : Gguf(shape, type);
        var sequences = wanted.Max(one => Math.Max(one.Sequences, 1));
        var context = (wanted.Max(one => Math.Max(one.Prompt, Context + Steps)) + 15) / 16 * 16;
        var batch = wanted.Max(one => Math.Max(one.Prompt, one.Sequences * Context));
        run.Say($"loading {source ?? file}");
        using var ours = new OwnModel(source ?? file, sequences, context, batch, run.Options.Threads);
        await using var peer = run.Peer is null
            ? null
            : await run.Peer.OpenAsync(file, sequences, context, Math.Max(batch, 64), run.Options.Threads, cancellationToken);
        var rounds = wanted.ToDictionary(one => one.Row, _ => new Rounds());

        // The first round compiles and warms up.
        for (var round = 0; round <= run.Options.Runs; round++)
        {
            foreach (var (row, prompt, count) in wanted)
            {
                run.Say($"{row.Title}: round {round} of {run.Options.Runs}");
                var own = prompt > 0 ? ours.Prefill(prompt) : ours.Decode(count, Context, Steps);
                var other = peer is null ? null
                    : prompt > 0 ? await peer.PrefillAsync(prompt, cancellationToken)
                    : await peer.DecodeAsync(count, Context, Steps, cancellationToken);
                if (round > 0)
                {
                    rounds[row].Add(own, other, prompt > 0 ? prompt : count);
                }
            }
        }

        foreach (var (row, _, _) in wanted)
        {
            run.Report(rounds[row].Result(row, run.Ceilings));
        }
    }

    /// <summary>The peer's file, written once.</summary>
    public string Gguf(string shape, GgufType type)
    {
        var path = Path.Combine(run.Options.Work, $"{shape}-{type}.gguf");
        if (!File.Exists(path))
        {
            run.Say($"writing {path}");
            SyntheticGguf.Write(SyntheticModel.Find($"synthetic:{shape}"), type, path);
        }

        return path;
    }

    private sealed class Rounds
    {
        private readonly List<double> _ours = [];
        private readonly List<double> _peer = [];
        private readonly List<(double Seconds, double Bytes, double Operations)> _steps = [];

        public void Add((double Seconds, double Bytes, double Operations) own, double? peerSeconds, int tokens)
        {
            _ours.Add(tokens / own.Seconds);
            _steps.Add(own);
            if (peerSeconds is { } seconds)
            {
                _peer.Add(tokens / seconds);
            }
        }

        public RowResult Result(CompareRow row, MachineCeilings ceilings)
        {
            var (seconds, bytes, operations) = _steps.OrderBy(step => step.Seconds).ElementAt(_steps.Count / 2);
            var (share, ceiling) = ceilings.ShareOf(seconds, bytes, operations);
            return new RowResult(row, _ours, _peer, share, ceiling);
        }
    }
}
