namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Counts what a rendering uses and ends it at its <see cref="RenderLimits"/>.</summary>
internal sealed class RenderBudget(RenderLimits limits)
{
    private long _steps;
    private long _characters;
    private int _callDepth;

    public void Step(long count = 1)
    {
        if ((_steps += count) > limits.Steps)
        {
            throw new RenderError($"the template needs more than {limits.Steps} steps");
        }
    }

    /// <summary>To be called before a string of this length is made.</summary>
    public void Characters(long count)
    {
        if ((_characters += count) > limits.Characters)
        {
            throw new RenderError($"the template makes more than {limits.Characters} characters of text");
        }
    }

    /// <summary>To be called with each value an operation is about to walk through.</summary>
    public void Work(object? value) => Step(value switch
    {
        string text => 1 + (text.Length >> 5),
        IReadOnlyList<object?> list => 1 + (list.Count >> 2),
        Dict dict => 1 + (dict.Count >> 2),
        _ => 1,
    });

    public string Charge(string text)
    {
        Characters(text.Length);
        return text;
    }

    public List<object?> Charge(List<object?> list)
    {
        Step(list.Count);
        return list;
    }

    public T Call<T>(Func<T> body)
    {
        if (++_callDepth > limits.CallDepth)
        {
            throw new RenderError($"macros call each other more than {limits.CallDepth} levels deep");
        }
        var result = body();
        _callDepth--;
        return result;
    }
}
