using System.Runtime.CompilerServices;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Metrics;

/// <summary>An engine whose requests are timed from arrival to end. What <see cref="WorkerServer"/> puts in place of the engine, so that no API knows of metrics.</summary>
internal sealed class MeteredEngine(IEngine engine, WorkerMetrics metrics, TimeProvider time) : EngineDecorator(engine)
{
    public override IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken) =>
        FollowAsync(Inner.GenerateAsync(request, cancellationToken), request.Sampling, time.GetTimestamp(), cancellationToken);

    private async IAsyncEnumerable<TokenOutput> FollowAsync(
        IAsyncEnumerable<TokenOutput> outputs, SamplingParameters sampling, long arrival, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        TimeSpan? firstToken = null;
        TimeSpan? queue = null;
        var numTokens = new int[sampling.N];
        await foreach (var output in outputs.WithCancellation(cancellationToken))
        {
            queue ??= output.QueueTime;
            firstToken ??= output.FirstTokenTime;
            numTokens[output.Index] = output.CompletionTokens;
            yield return output;
        }

        metrics.Ended(new RequestTimes(queue, firstToken, time.GetElapsedTime(arrival)), sampling, numTokens.Max());
    }
}
