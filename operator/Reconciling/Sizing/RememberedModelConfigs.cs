using System.Collections.Concurrent;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Asks for a configuration at most once in a while: an undecided deployment is looked at whenever a node changes, and the
/// hub need not hear of it. Failures are remembered as well, for less long. Safe for any thread.</summary>
internal sealed class RememberedModelConfigs(IModelConfigs source, TimeProvider time) : IModelConfigs
{
    private const int MostRemembered = 256;
    private static readonly TimeSpan SuccessLasts = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan FailureLasts = TimeSpan.FromSeconds(50);

    private readonly ConcurrentDictionary<string, (
        ModelConfig? Config, ModelConfigException? Failure, long At)> _known = new(StringComparer.Ordinal);

    public async Task<ModelConfig> ReadAsync(ModelSource model, CancellationToken cancellationToken)
    {
        var key = model.ToString()!;
        if (_known.TryGetValue(key, out var entry) && time.GetElapsedTime(entry.At) < (entry.Config is null ? FailureLasts : SuccessLasts))
        {
            return entry.Config ?? throw new ModelConfigException(entry.Failure!.Message, entry.Failure);
        }

        if (_known.Count >= MostRemembered)
        {
            _known.Clear();
        }

        try
        {
            var config = await source.ReadAsync(model, cancellationToken);
            _known[key] = (config, null, time.GetTimestamp());
            return config;
        }
        catch (ModelConfigException e)
        {
            _known[key] = (null, e, time.GetTimestamp());
            throw;
        }
    }
}
