namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Methods of Python's <c>list</c> and <c>tuple</c>.</summary>
internal static class ListMethods
{
    /// <summary>The method bound to a sequence, or null when there is none of that name.</summary>
    public static Function? Find(IReadOnlyList<object?> items, string name, RenderBudget budget)
    {
        var method = name switch
        {
            "count" => a => (long)items.Count(item => Values.AreEqual(item, a.Required(0, "value"), budget)),
            "index" => a => IndexOf(items, a.Required(0, "value"), a.Integer(1, "start", 0), a.Integer(2, "stop", items.Count), budget),
            _ => items is List<object?> list ? FindMutating(list, name, budget) : null,
        };
        return method is null ? null : new Function(name, method);
    }

    private static Func<Arguments, object?>? FindMutating(List<object?> list, string name, RenderBudget budget) => name switch
    {
        "append" => a => Add(list, [a.Required(0, "object")], budget),
        "extend" => a => Add(list, Values.Copy(a.Required(0, "iterable"), budget), budget),
        "insert" => a =>
        {
            var at = a.Integer(0, "index");
            budget.Step(list.Count);
            budget.Slots(1);
            list.Insert((int)Math.Clamp(at < 0 ? at + list.Count : at, 0, list.Count), a.Required(1, "object"));
            return null;
        }
        ,
        "pop" => a =>
        {
            budget.Work(list);
            (var found, var item) = Slicing.At(list, a.Integer(0, "index", -1));
            var at = a.Integer(0, "index", -1);
            list.RemoveAt(found ? (int)(at < 0 ? at + list.Count : at) : throw new RenderError("'pop' index is out of range"));
            return item;
        }
        ,
        "copy" => _ => Values.Copy(list, budget),
        "remove" => a =>
        {
            list.RemoveAt((int)(long)IndexOf(list, a.Required(0, "value"), 0, list.Count, budget));
            return null;
        }
        ,
        "clear" => _ =>
        {
            list.Clear();
            return null;
        }
        ,
        "sort" => a =>
        {
            var key = a.Named.GetValueOrDefault("key") as Function;
            var sorted = SequenceFilters.Sort(
                Values.Copy(list, budget), item => key is null ? item : key.Invoke(new Arguments([item], Arguments.None.Named)),
                a.Named.TryGetValue("reverse", out var reverse) && Values.IsTrue(reverse), budget);
            list.Clear();
            list.AddRange(sorted);
            return null;
        }
        ,
        "reverse" => _ =>
        {
            budget.Work(list);
            list.Reverse();
            return null;
        }
        ,
        _ => null,
    };

    private static object? Add(List<object?> list, List<object?> items, RenderBudget budget)
    {
        budget.Slots(items.Count);
        list.AddRange(items);
        return null;
    }

    private static object IndexOf(IReadOnlyList<object?> items, object? value, long start, long stop, RenderBudget budget)
    {
        (start, stop) = (start < 0 ? Math.Max(0, start + items.Count) : start, stop < 0 ? stop + items.Count : stop);
        for (var i = (int)Math.Min(start, items.Count); i < Math.Min(stop, items.Count); i++)
        {
            if (Values.AreEqual(items[i], value, budget))
            {
                return (long)i;
            }
        }
        throw new RenderError("the value is not in the list");
    }
}
