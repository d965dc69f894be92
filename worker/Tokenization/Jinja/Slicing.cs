namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's indexing and slicing, negative positions and steps included.</summary>
internal static class Slicing
{
    /// <summary>The item at an index, or null when it is out of range.</summary>
    public static (bool Found, object? Item) At(object target, long index)
    {
        var items = Values.Items(target);
        index = index < 0 ? index + items.Count : index;
        return index >= 0 && index < items.Count ? (true, items[(int)index]) : (false, null);
    }

    public static object Slice(object? target, object? start, object? stop, object? step, RenderBudget budget)
    {
        if (Values.Defined(target) is not (string or IReadOnlyList<object?>))
        {
            throw new RenderError($"{Values.TypeName(target)} cannot be sliced");
        }
        var stride = Bound(step) ?? 1;
        if (stride == 0)
        {
            throw new RenderError("a slice cannot have step 0");
        }
        var items = Values.Items(target);
        var from = Clamp(Bound(start) ?? (stride > 0 ? 0 : items.Count - 1), start is null, items.Count, stride);
        var to = stop is null ? (stride > 0 ? items.Count : -1) : Clamp(Bound(stop)!.Value, isDefault: false, items.Count, stride);
        List<object?> result = [];
        for (var i = from; stride > 0 ? i < to : i > to; i += stride)
        {
            result.Add(items[(int)i]);
            if (stride > items.Count || stride < -items.Count)
            {
                break;
            }
        }
        budget.Charge(result);
        return target switch
        {
            string => budget.Charge(string.Concat(result)),
            object?[] => result.ToArray(),
            _ => result,
        };
    }

    // Where a walk in the direction of the step may begin or end: past the last item going up, before the first going down.
    private static long Clamp(long position, bool isDefault, int count, long stride)
    {
        position = position < 0 && !isDefault ? position + count : position;
        return stride > 0 ? Math.Clamp(position, 0, count) : Math.Clamp(position, -1, count - 1);
    }

    private static long? Bound(object? value) => value switch
    {
        null => null,
        long number => number,
        bool flag => flag ? 1 : 0,
        _ => throw new RenderError($"a slice bound must be an integer, not {Values.TypeName(value)}"),
    };
}
