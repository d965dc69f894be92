namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Filters over the items of lists, dicts and strings.</summary>
internal static class SequenceFilters
{
    public static void AddTo(Dictionary<string, Filter> filters)
    {
        filters["length"] = filters["count"] = (value, _, _) => Values.Length(value);
        filters["first"] = (value, _, evaluator) => End(value, 0, "there is no first item", evaluator.Budget);
        filters["last"] = (value, _, evaluator) => End(value, -1, "there is no last item", evaluator.Budget);
        filters["list"] = (value, _, evaluator) => Values.Copy(value, evaluator.Budget);
        filters["join"] = Join;
        filters["items"] = (value, _, evaluator) => value switch
        {
            Dict dict => DictMethods.Items(dict, evaluator.Budget),
            Undefined => new List<object?>(),
            _ => throw new RenderError($"'items' needs a dict, not {Values.TypeName(value)}"),
        };
        filters["dictsort"] = DictSort;
        filters["reverse"] = (value, _, evaluator) => value is string text
            ? CodePoints.Reversed(text, evaluator.Budget)
            : Reversed(Values.Copy(value, evaluator.Budget));
        filters["sort"] = (value, a, evaluator) =>
            Sort(value, a.Flag(0, "reverse"), a.Flag(1, "case_sensitive"), a.Get(2, "attribute"), evaluator);
        filters["unique"] = Unique;
        filters["min"] = (value, a, evaluator) => Extreme(value, a, evaluator, reverse: false);
        filters["max"] = (value, a, evaluator) => Extreme(value, a, evaluator, reverse: true);
        filters["sum"] = Sum;
        filters["batch"] = Batch;
        filters["slice"] = Slice;
    }

    /// <summary>Reads <c>a.b.0</c> off an item, as the <c>attribute</c> argument of several filters wants; the item itself without
    /// one.</summary>
    public static object? Attribute(object? item, object? attribute, ExpressionEvaluator evaluator)
    {
        if (attribute is null)
        {
            return item;
        }
        foreach (var part in ValueWriter.ToText(attribute, evaluator.Budget).Split('.'))
        {
            item = evaluator.GetItem(item, long.TryParse(part, out var index) ? index : part);
        }
        return item;
    }

    private static object? Join(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        var items = Values.Items(value, evaluator.Budget);
        evaluator.Budget.Slots(items.Count);
        var texts = items.Select(item =>
            (object?)ValueWriter.ToText(Attribute(item, arguments.Get(1, "attribute"), evaluator), evaluator.Budget));
        return StringMethods.Join(ValueWriter.ToText(arguments.Get(0, "d", ""), evaluator.Budget), [.. texts], evaluator.Budget);
    }

    private static object? DictSort(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        var dict = value as Dict ?? throw new RenderError($"'dictsort' needs a dict, not {Values.TypeName(value)}");
        long by = arguments.Text(1, "by", "key") switch
        {
            "key" => 0,
            "value" => 1,
            var other => throw new RenderError($"'by' is '{other}', expected 'key' or 'value'"),
        };
        return Sort(
            DictMethods.Items(dict, evaluator.Budget), arguments.Flag(2, "reverse"), arguments.Flag(0, "case_sensitive"), by, evaluator);
    }

    private static List<object?> Sort(object? value, bool reverse, bool caseSensitive, object? attribute, ExpressionEvaluator evaluator)
    {
        // Several attributes, parted by commas, are compared one after the other.
        var names = (attribute as string)?.Split(',');
        return Sort(value, Key, reverse, evaluator.Budget);

        object? Key(object? item) => names is { Length: > 1 }
            ? Keys(item)
            : Fold(Attribute(item, attribute, evaluator), caseSensitive, evaluator.Budget);

        object?[] Keys(object? item)
        {
            evaluator.Budget.Objects();
            evaluator.Budget.Slots(names.Length);
            return [.. names.Select(name => Fold(Attribute(item, name, evaluator), caseSensitive, evaluator.Budget))];
        }
    }

    /// <summary>Items in the order of their keys; those of one key stay as they are.</summary>
    public static List<object?> Sort(object? value, Func<object?, object?> key, bool reverse, RenderBudget budget)
    {
        var comparer = Comparer<object?>.Create((x, y) => Values.Compare(x, y, budget));
        var items = Values.Items(value, budget);

        // The result, and inside the library the items again, their keys and their order.
        budget.Slots(3L * items.Count);
        try
        {
            return reverse ? [.. items.OrderByDescending(key, comparer)] : [.. items.OrderBy(key, comparer)];
        }
        catch (InvalidOperationException e) when (e.InnerException is RenderError inner)
        {
            throw inner;
        }
    }

    private static object? Unique(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        var caseSensitive = arguments.Flag(0, "case_sensitive");
        Dict seen = [];
        List<object?> result = [];
        foreach (var item in Values.Items(value, evaluator.Budget))
        {
            var key = Fold(Attribute(item, arguments.Get(1, "attribute"), evaluator), caseSensitive, evaluator.Budget);
            if (!seen.TryGet(key, out _, evaluator.Budget))
            {
                seen.Set(key, null, evaluator.Budget);
                evaluator.Budget.Slots(1);
                result.Add(item);
            }
        }
        return result;
    }

    private static object? Extreme(object? value, Arguments arguments, ExpressionEvaluator evaluator, bool reverse) =>
        Sort(value, reverse, arguments.Flag(0, "case_sensitive"), arguments.Get(1, "attribute"), evaluator) is [var first, ..]
            ? first
            : new Undefined("there is no smallest or largest of nothing");

    private static object? Sum(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        var total = arguments.Get(1, "start", 0L);
        foreach (var item in Values.Items(value, evaluator.Budget))
        {
            total = Operators.Apply("+", total, Attribute(item, arguments.Get(0, "attribute"), evaluator), evaluator.Budget);
        }
        return total;
    }

    private static object? Batch(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        var size = (int)Math.Clamp(arguments.Integer(0, "linecount"), 1, int.MaxValue);
        var items = Values.Copy(value, evaluator.Budget);
        evaluator.Budget.Slots(2L * items.Count);
        evaluator.Budget.Objects(1 + items.Count / size);
        List<object?> batches = [.. items.Chunk(size).Select(chunk => chunk.ToList())];
        if (batches is [.., List<object?> last] && arguments.Get(1, "fill_with") is { } fill)
        {
            evaluator.Budget.Slots(size - last.Count);
            last.AddRange(Enumerable.Repeat(fill, size - last.Count)!);
        }
        return batches;
    }

    private static object? Slice(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        var items = Values.Items(value, evaluator.Budget);
        var slices = Math.Max(1, arguments.Integer(0, "slices"));
        evaluator.Budget.Slots(slices);
        evaluator.Budget.Slots(items.Count);
        evaluator.Budget.Objects(slices);
        List<object?> result = [];
        var at = 0;
        for (long i = 0; i < slices; i++)
        {
            var count = (int)(items.Count / slices + (i < items.Count % slices ? 1 : 0));
            result.Add(items.Skip(at).Take(count).ToList());
            at += count;
        }
        return result;
    }

    public static object? Fold(object? value, bool caseSensitive, RenderBudget budget)
    {
        if (value is not string text || caseSensitive)
        {
            return value;
        }
        budget.Work(text);
        budget.Characters(text.Length);
        return text.ToLowerInvariant();
    }

    private static object? End(object? value, int index, string otherwise, RenderBudget budget)
    {
        var items = value is string or IReadOnlyList<object?> ? value : Values.Items(value, budget);
        (var found, var item) = Slicing.At(items!, index);
        return found ? item : new Undefined(otherwise);
    }

    private static List<object?> Reversed(List<object?> list)
    {
        list.Reverse();
        return list;
    }
}
