namespace Cluster.Worker.Tokenization.Jinja;

/// <summary><c>map</c>, <c>select</c>, <c>reject</c>, <c>selectattr</c>, <c>rejectattr</c> and <c>groupby</c>: filters that apply filters
/// and tests.</summary>
internal static class SelectionFilters
{
    public static void AddTo(Dictionary<string, Filter> filters)
    {
        filters["map"] = Map;
        filters["select"] = (value, a, evaluator) => Select(value, a, evaluator, byAttribute: false, keep: true);
        filters["reject"] = (value, a, evaluator) => Select(value, a, evaluator, byAttribute: false, keep: false);
        filters["selectattr"] = (value, a, evaluator) => Select(value, a, evaluator, byAttribute: true, keep: true);
        filters["rejectattr"] = (value, a, evaluator) => Select(value, a, evaluator, byAttribute: true, keep: false);
        filters["groupby"] = GroupBy;
    }

    private static object? Map(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        Func<object?, object?> map;
        if (arguments.Positional.Count == 0)
        {
            var attribute = arguments.Required(0, "attribute");
            map = item => SequenceFilters.Attribute(item, attribute, evaluator) is Undefined
                && arguments.Named.TryGetValue("default", out var fallback)
                ? fallback
                : SequenceFilters.Attribute(item, attribute, evaluator);
        }
        else
        {
            var filter = arguments.Text(0, "filter");
            var rest = arguments.Skip(1);
            map = item => Filters.Apply(filter, item, rest, evaluator);
        }
        var items = Values.Items(value, evaluator.Budget);
        evaluator.Budget.Slots(items.Count);
        return items.Select(map).ToList();
    }

    // select(test, …), selectattr(attribute, test, …); without a test it is the value's truth that counts.
    private static object? Select(object? value, Arguments arguments, ExpressionEvaluator evaluator, bool byAttribute, bool keep)
    {
        var attribute = byAttribute ? arguments.Required(0, "attribute") : null;
        var rest = byAttribute ? arguments.Skip(1) : arguments;
        var test = rest.Positional.Count > 0 ? rest.Text(0, "test") : null;
        rest = rest.Skip(1);
        List<object?> result = [];
        foreach (var item in Values.Items(value, evaluator.Budget))
        {
            var tested = SequenceFilters.Attribute(item, attribute, evaluator);
            var holds = test is null ? Values.IsTrue(tested) : Tests.Apply(test, tested, rest, evaluator.Budget);
            if (holds == keep)
            {
                evaluator.Budget.Slots(1);
                result.Add(item);
            }
        }
        return result;
    }

    // groupby(attribute, default, case_sensitive); a group's key is the first item's own.
    private static object? GroupBy(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        var budget = evaluator.Budget;
        var attribute = arguments.Required(0, "attribute");
        var fallback = arguments.Get(1, "default");
        var caseSensitive = arguments.Flag(2, "case_sensitive");
        List<object?> groups = [];
        object? last = null;
        foreach (var item in SequenceFilters.Sort(value, Folded, reverse: false, budget))
        {
            var folded = Folded(item);
            budget.Slots(1);
            if (groups is [.., GroupTuple group] && Values.AreEqual(last, folded, budget))
            {
                group.List.Add(item);
            }
            else
            {
                budget.Slots(1);
                budget.Objects(2);
                groups.Add(new GroupTuple(Key(item), [item]));
            }
            last = folded;
        }
        return groups;

        object? Key(object? item) =>
            SequenceFilters.Attribute(item, attribute, evaluator) is var found and not Undefined ? found : fallback;

        object? Folded(object? item) => SequenceFilters.Fold(Key(item), caseSensitive, budget);
    }
}
