using System.Collections.Concurrent;

namespace Cluster.Operator.Controller;

/// <summary>What an operator waits for, for <c>/readyz</c>: whether it holds the lease or knows who does, and whether its caches show the
/// cluster. Written by <see cref="LeaderElection"/> and informers, from any thread.</summary>
internal sealed class Readiness
{
    private readonly ConcurrentDictionary<string, Check> _checks = new(StringComparer.Ordinal);

    /// <summary>Nothing is known to be amiss. An operator that awaits a lease held by another one is ready to take over.</summary>
    public bool IsReady => !_checks.IsEmpty && _checks.Values.All(c => c.IsWell);

    /// <summary>A line for each check, as the API server's own <c>/readyz?verbose</c> has them.</summary>
    public string Text => string.Concat(
        _checks.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"[{(c.Value.IsWell ? '+' : '-')}]{c.Key} {c.Value.Text}\n"))
        + (IsReady ? "ready\n" : "not ready\n");

    /// <summary>What is amiss, a sentence for each check.</summary>
    public IReadOnlyList<string> Problems =>
        [.. _checks.Where(c => !c.Value.IsWell).OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key} {c.Value.Text}")];

    /// <returns>Whether that is news.</returns>
    public bool Set(string check, bool isWell, string text)
    {
        Check now = new(isWell, text);
        var isNews = !_checks.TryGetValue(check, out var before) || before != now;
        _checks[check] = now;
        return isNews;
    }

    private sealed record Check(bool IsWell, string Text);
}
