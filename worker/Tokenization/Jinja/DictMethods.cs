namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Methods of Python's <c>dict</c>.</summary>
internal static class DictMethods
{
    /// <summary>The method bound to a dict, or null when there is none of that name.</summary>
    public static Function? Find(Dict dict, string name, RenderBudget budget)
    {
        Func<Arguments, object?>? method = name switch
        {
            "get" => a => dict.TryGet(a.Required(0, "key"), out var value, budget) ? value : a.Get(1, "default"),
            "items" => _ => Items(dict, budget),
            "keys" => _ => Values.Copy(dict, budget),
            "values" => _ => ValuesOf(dict, budget),
            "copy" => _ => Update([], dict, budget),
            "update" => a =>
            {
                Update(dict, a.Get(0, "other") as Dict ?? [], budget);
                Update(dict, a.Named, budget);
                return null;
            }
            ,
            "setdefault" => a =>
            {
                if (!dict.TryGet(a.Required(0, "key"), out var value, budget))
                {
                    dict.Set(a.Required(0, "key"), value = a.Get(1, "default"), budget);
                }
                return value;
            }
            ,
            "clear" => _ =>
            {
                dict.Clear();
                return null;
            }
            ,
            "popitem" => _ =>
            {
                if (dict.Count == 0)
                {
                    throw new RenderError("the dict is empty");
                }
                budget.Step(dict.Count);
                budget.Objects();
                (var last, var item) = dict.Entries.Last();
                dict.RemoveAt(dict.Count - 1);
                return new[] { last, item };
            }
            ,
            "pop" => a =>
            {
                var key = a.Required(0, "key");
                var found = dict.TryGet(key, out var value, budget);
                return found && dict.Drop(key, budget) ? value
                    : a.TryGet(1, "default", out var fallback) ? fallback
                    : throw new RenderError($"the dict has no key {ValueWriter.Repr(key, budget)}");
            }
            ,
            _ => null,
        };
        return method is null ? null : new Function(name, method);
    }

    public static List<object?> Items(Dict dict, RenderBudget budget)
    {
        budget.Slots(dict.Count);
        budget.Objects(dict.Count);
        return [.. dict.Entries.Select(entry => new[] { entry.Key, entry.Value })];
    }

    private static List<object?> ValuesOf(Dict dict, RenderBudget budget)
    {
        budget.Slots(dict.Count);
        return [.. dict.Values];
    }

    private static Dict Update(Dict dict, Dict other, RenderBudget budget)
    {
        budget.Slots(other.Count);
        budget.Objects();
        foreach ((var key, var value) in other.Entries.ToArray())
        {
            dict.Set(key, value, budget);
        }
        return dict;
    }

    private static void Update(Dict dict, IReadOnlyDictionary<string, object?> named, RenderBudget budget)
    {
        budget.Step(named.Count);
        foreach ((var key, var value) in named)
        {
            dict.Set(key, value, budget);
        }
    }
}
