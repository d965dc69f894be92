namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>The functions every template finds: Jinja's own, and the two that chat templates add, <c>raise_exception</c> and
/// <c>strftime_now</c>.</summary>
internal static class Globals
{
    public static void AddTo(Scope scope, TimeProvider clock, RenderBudget budget)
    {
        Add("range", arguments => Range(arguments, budget));
        Add("namespace", MakeNamespace);
        Add("dict", MakeDict);
        Add("raise_exception", arguments => throw new RenderError(ValueWriter.ToText(arguments.Required(0, "message"), budget)));
        Add("strftime_now", arguments => budget.Charge(StrftimeFormat.Format(clock.GetLocalNow(), arguments.Text(0, "format"))));
        Add("cycler", arguments => Cycler(arguments));
        Add("joiner", arguments => Joiner(arguments));

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
            budget.Step();
            numbers.Add(i);
        }
        return numbers;
    }

    private static object? MakeNamespace(Arguments arguments)
    {
        Namespace space = new();
        foreach ((var key, var value) in ((Dict)MakeDict(arguments)!).Entries)
        {
            space.Attributes[key as string ?? throw new RenderError("attribute names of a namespace must be strings")] = value;
        }
        return space;
    }

    private static object? MakeDict(Arguments arguments)
    {
        Dict dict = [];
        switch (arguments.Get(0, "mapping"))
        {
            case null:
                break;
            case Dict other:
                foreach ((var key, var value) in other.Entries)
                {
                    dict.Set(key, value);
                }
                break;
            case var pairs:
                foreach (var pair in Values.Items(pairs))
                {
                    var entry = Values.Items(pair);
                    if (entry.Count != 2)
                    {
                        throw new RenderError("'dict' needs a dict or pairs");
                    }
                    dict.Set(entry[0], entry[1]);
                }
                break;
        }
        foreach ((var name, var value) in arguments.Named)
        {
            dict.Set(name, value);
        }
        return dict;
    }

    private static Namespace Cycler(Arguments arguments)
    {
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

    private static Function Joiner(Arguments arguments)
    {
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
