namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>The functions every template finds: Jinja's own, and the two that chat templates add, <c>raise_exception</c> and
/// <c>strftime_now</c>.</summary>
internal static class Globals
{
    /// <summary>What a number takes in a list, in places of items: it is an object of its own.</summary>
    private const int NumberSlots = 3;

    /// <summary>Characters that the longest directive of strftime becomes, a character of the format, and a copy.</summary>
    private const int MaxDirective = 16;

    public static void AddTo(Scope scope, TimeProvider clock, RenderBudget budget)
    {
        Add("range", arguments => Range(arguments, budget));
        Add("namespace", arguments => MakeNamespace(arguments, budget));
        Add("dict", arguments => MakeDict(arguments, budget));
        Add("raise_exception", arguments => throw new RenderError(ValueWriter.ToText(arguments.Required(0, "message"), budget)));
        Add("strftime_now", arguments => Now(clock, arguments.Text(0, "format"), budget));
        Add("cycler", arguments => Cycler(arguments, budget));
        Add("joiner", arguments => Joiner(arguments, budget));

        void Add(string name, Func<Arguments, object?> function) => scope.Set(name, new Function(name, function));
    }

    private static object? Range(Arguments arguments, RenderBudget budget)
    {
        var single = arguments.Positional.Count == 1;
        var start = single ? 0 : arguments.Integer(0, "start");
        var stop = arguments.Integer(single ? 0 : 1, "stop");
        var step = arguments.Integer(2, "step", 1);
        if (step == 0)
        {
            throw new RenderError("'range' cannot have step 0");
        }
        List<object?> numbers = [];
        for (var i = start; step > 0 ? i < stop : i > stop; i += step)
        {
            budget.Slots(NumberSlots);
            numbers.Add(i);
        }
        return numbers;
    }

    private static string Now(TimeProvider clock, string format, RenderBudget budget)
    {
        budget.Work(format);
        budget.Characters((long)format.Length * MaxDirective);
        return StrftimeFormat.Format(clock.GetLocalNow(), format);
    }

    private static object? MakeNamespace(Arguments arguments, RenderBudget budget)
    {
        budget.Objects(2);
        Namespace space = new();
        foreach ((var key, var value) in ((Dict)MakeDict(arguments, budget)!).Entries)
        {
            budget.Entry(key);
            space.Attributes[key as string ?? throw new RenderError("attribute names of a namespace must be strings")] = value;
        }
        return space;
    }

    private static object? MakeDict(Arguments arguments, RenderBudget budget)
    {
        budget.Objects(2);
        Dict dict = [];
        switch (arguments.Get(0, "mapping"))
        {
            case null:
                break;
            case Dict other:
                foreach ((var key, var value) in other.Entries)
                {
                    dict.Set(key, value, budget);
                }
                break;
            case var pairs:
                foreach (var pair in Values.Items(pairs, budget))
                {
                    var entry = Values.Items(pair, budget);
                    if (entry.Count != 2)
                    {
                        throw new RenderError("'dict' needs a dict or pairs");
                    }
                    dict.Set(entry[0], entry[1], budget);
                }
                break;
        }
        foreach ((var name, var value) in arguments.Named)
        {
            dict.Set(name, value, budget);
        }
        return dict;
    }

    private static Namespace Cycler(Arguments arguments, RenderBudget budget)
    {
        budget.Objects(6);
        var values = arguments.Positional;
        if (values.Count == 0)
        {
            throw new RenderError("'cycler' needs values");
        }
        var at = 0;
        Namespace cycler = new();
        cycler.Attributes["current"] = values[0];
        cycler.Attributes["next"] = new Function("next", _ =>
        {
            var value = values[at];
            at = (at + 1) % values.Count;
            cycler.Attributes["current"] = values[at];
            return value;
        });
        return cycler;
    }

    private static Function Joiner(Arguments arguments, RenderBudget budget)
    {
        budget.Objects();
        var separator = arguments.Text(0, "sep", ", ");
        var used = false;
        return new Function("joiner", _ =>
        {
            var result = used ? separator : "";
            used = true;
            return result;
        });
    }
}
