using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>Status conditions by type. Setting one keeps its lastTransitionTime unless its status changes, and leaves
/// conditions that others have set alone.</summary>
internal sealed class ConditionList(IEnumerable<Condition>? existing, long? generation, DateTimeOffset now)
{
    private readonly List<Condition> _conditions = [.. existing ?? []];

    /// <param name="status">Null means Unknown.</param>
    public void Set(string type, bool? status, string reason, string message)
    {
        var text = status switch { true => "True", false => "False", null => "Unknown" };
        var index = _conditions.FindIndex(c => c.Type == type);
        Condition condition = new()
        {
            Type = type,
            Status = text,
            Reason = reason,
            Message = message,
            ObservedGeneration = generation,
            LastTransitionTime = index >= 0 && _conditions[index].Status == text && _conditions[index].LastTransitionTime is { } since
                ? since
                : new DateTimeOffset(now.Ticks - (now.Ticks % TimeSpan.TicksPerSecond), now.Offset),
        };
        if (index >= 0)
        {
            _conditions[index] = condition;
        }
        else
        {
            _conditions.Add(condition);
        }
    }

    public void Remove(string type) => _conditions.RemoveAll(c => c.Type == type);

    public List<Condition> ToList() => [.. _conditions];
}
