namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>A filter: the value left of <c>|</c>, the arguments, and the interpreter for filters that apply others or read
/// attributes.</summary>
internal delegate object? Filter(object? value, Arguments arguments, ExpressionEvaluator evaluator);

/// <summary>All filters by name. Jinja's built-in ones, without those that make HTML.</summary>
internal static class Filters
{
    private static readonly Dictionary<string, Filter> All = Build();

    public static bool Exists(string name) => All.ContainsKey(name);

    public static object? Apply(string name, object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        evaluator.Budget.Work(value);
        return All.TryGetValue(name, out var filter)
            ? filter(value, arguments, evaluator)
            : throw new RenderError($"there is no filter '{name}'");
    }

    private static Dictionary<string, Filter> Build()
    {
        Dictionary<string, Filter> filters = new(StringComparer.Ordinal);
        TextFilters.AddTo(filters);
        SequenceFilters.AddTo(filters);
        SelectionFilters.AddTo(filters);
        ValueFilters.AddTo(filters);
        return filters;
    }
}
