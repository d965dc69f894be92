using System.Diagnostics;

namespace Cluster.Worker.Compute.Tuning;

/// <summary>Times the variants of every multiplication of a model that is loaded on a backend, and chooses the fastest. Called by
/// <c>Startup</c>; calls <see cref="Backend.Linear"/>.</summary>
/// <param name="budget">Longest time for one variant of one shape, after its first run: TunableOp's 30 ms.</param>
internal sealed class GemmTuner(Backend backend, GemmTuning tuning, TimeSpan budget)
{
    /// <summary>Below this share a variant is not better, it was lucky.</summary>
    private const double WorthIt = 0.97;

    private const int MostRuns = 100;

    /// <param name="mostRows">Of a step.</param>
    /// <returns>Shapes that have several variants and none chosen yet.</returns>
    public IReadOnlyList<GemmShape> Missing(int mostRows) =>
    [
        .. from weight in tuning.Weights
           from rows in Buckets(mostRows)
           let shape = new GemmShape(weight.Key.Type, weight.Key.Outputs, rows, weight.Key.Inputs)
           where !tuning.Chosen.ContainsKey(shape) && backend.VariantsOf(weight.Value, rows).Count > 1
           select shape,
    ];

    /// <summary>Tunes the shapes one after another.</summary>
    /// <param name="report">Told each result, with what the default takes.</param>
    /// <exception cref="InsufficientMemoryException">Inputs and outputs of the largest shape do not fit beside the model.</exception>
    public void Tune(IReadOnlyList<GemmShape> shapes, Action<GemmShape, TunedVariant, double> report, CancellationToken cancellationToken)
    {
        if (shapes.Count == 0)
        {
            return;
        }

        var x = backend.Allocate("tuning inputs", DType.F32, shapes.Max(shape => shape.Rows), shapes.Max(shape => shape.Inputs));
        var y = backend.Allocate("tuning outputs", DType.F32, shapes.Max(shape => shape.Rows), shapes.Max(shape => shape.Outputs));
        try
        {
            Tune(shapes, x, y, report, cancellationToken);
        }
        finally
        {
            backend.Release(x);
            backend.Release(y);
        }
    }

    private void Tune(
        IReadOnlyList<GemmShape> shapes, Tensor x, Tensor y, Action<GemmShape, TunedVariant, double> report,
        CancellationToken cancellationToken)
    {
        foreach (var shape in shapes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var weight = tuning.Weights[(shape.Type, shape.Outputs, shape.Inputs)];
            var input = x with { Rows = shape.Rows, Columns = shape.Inputs };
            var output = y with { Rows = shape.Rows, Columns = shape.Outputs };
            var times = backend.VariantsOf(weight, shape.Rows)
                .Select(variant => new TunedVariant(variant, Time(shape, variant, input, weight, output))).ToList();
            var plain = times.Single(time => time.Name == TunedVariant.Default);
            var best = times.MinBy(time => time.Milliseconds);
            best = best.Milliseconds < WorthIt * plain.Milliseconds ? best : plain;
            tuning.Choose(shape, best);
            report(shape, best, plain.Milliseconds);
        }
    }

    private static IEnumerable<int> Buckets(int mostRows)
    {
        for (var rows = 1; rows <= GemmTuning.BucketOf(mostRows); rows *= 2)
        {
            yield return rows;
        }
    }

    /// <returns>The fastest of several runs: whatever else the machine does makes runs slower only.</returns>
    private double Time(GemmShape shape, string variant, Tensor input, LinearWeight weight, Tensor output)
    {
        tuning.Choose(shape, new TunedVariant(variant, 0));
        Run();
        var best = double.MaxValue;
        var start = Stopwatch.GetTimestamp();
        for (var run = 0; run < MostRuns && (run == 0 || Stopwatch.GetElapsedTime(start) < budget); run++)
        {
            var before = Stopwatch.GetTimestamp();
            Run();
            best = Math.Min(best, Stopwatch.GetElapsedTime(before).TotalMilliseconds);
        }

        return best;

        void Run()
        {
            Span<float> last = stackalloc float[1];
            backend.Linear(input, weight, output);

            // The one wait.
            backend.Download(output with { Rows = 1, Columns = 1 }, last);
        }
    }
}
