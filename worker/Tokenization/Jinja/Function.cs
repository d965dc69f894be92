namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Something a template can call: a global function, a method bound to its value, or a macro.</summary>
internal sealed record Function(string Name, Func<Arguments, object?> Invoke);
