using System.Diagnostics;
using System.Runtime.CompilerServices;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Telemetry;

/// <summary>An engine whose requests leave spans below the one that is current when they are made. What <see cref="WorkerTelemetry"/> puts in place of the
/// engine, so that no API knows of tracing.</summary>
internal sealed class TracedEngine(IEngine engine, string modelName, ActivitySource source, TimeProvider time) : EngineDecorator(engine)
{
    public override IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        var trace = new GenerationTrace(request, modelName, Activity.Current?.Context ?? default, time);
        return FollowAsync(Inner.GenerateAsync(request, cancellationToken), trace, cancellationToken);
    }

    private async IAsyncEnumerable<TokenOutput> FollowAsync(IAsyncEnumerable<TokenOutput> outputs, GenerationTrace trace, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var enumerator = outputs.GetAsyncEnumerator(cancellationToken);
        try
        {
            while (await MoveNextAsync(enumerator, trace))
            {
                trace.Add(enumerator.Current);
                yield return enumerator.Current;
            }
        }
        finally
        {
            trace.Write(source);
        }
    }

    private static async ValueTask<bool> MoveNextAsync(IAsyncEnumerator<TokenOutput> enumerator, GenerationTrace trace)
    {
        try
        {
            return await enumerator.MoveNextAsync();
        }
        catch (Exception exception)
        {
            trace.Fail(exception);
            throw;
        }
    }
}
