namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's indexing and slicing, negative positions and steps included.</summary>
internal static class Slicing
{
    /// <summary>The item at an index, or null when it is out of range.</summary>
    public static (bool Found, object? Item) At(object target, long index)
    {
        if (target is string text)
        {
            var found = CodePoints.At(text, index);
            return (found is not null, found);
        }
        var items = (IReadOnlyList<object?>)target;
        index = index < 0 ? index + items.Count : index;
        return index >= 0 && index < items.Count ? (true, items[(int)index]) : (false, null);
    }

    public static object Slice(object? target, object? start, object? stop, object? step, RenderBudget budget)
    {
        var count = Values.Defined(target) switch
        {
            string text => CodePoints.Count(text),
            IReadOnlyList<object?> list => list.Count,
            _ => throw new RenderError($"{Values.TypeName(target)} cannot be sliced"),
        };
        var stride = Bound(step) ?? 1;
        if (stride == 0)
        {
            throw new RenderError("a slice cannot have step 0");
        }

        // A longer step goes past the end as well.
        stride = Math.Clamp(stride, -(count + 1L), count + 1L);
        var from = Clamp(Bound(start) ?? (stride > 0 ? 0 : count - 1), start is null, count, stride);
        var to = stop is null ? (stride > 0 ? count : -1) : Clamp(Bound(stop)!.Value, isDefault: false, count, stride);
        if (target is string characters)
        {
            return CodePoints.Slice(characters, count, from, to, stride, budget);
        }
        var items = (IReadOnlyList<object?>)target!;
        budget.Slots(Math.Max(0, (to - from + stride - Math.Sign(stride)) / stride));
        List<object?> result = [];
        for (var i = from; stride > 0 ? i < to : i > to; i += stride)
        {
            result.Add(items[(int)i]);
        }
        return target is List<object?> ? result : result.ToArray();
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
