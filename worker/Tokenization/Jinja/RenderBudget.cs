using System.Numerics;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Counts what a rendering uses and ends it at its <see cref="RenderLimits"/>. Every operation says what it will make before it
/// makes it, and what it walks through while it walks: one operation could otherwise take a server's whole memory.</summary>
internal sealed class RenderBudget(RenderLimits limits)
{
    /// <summary>A string's own memory, without its characters.</summary>
    private const int StringBytes = 32;

    /// <summary>A list's place for an item, and half as many while it grows.</summary>
    private const int SlotBytes = 16;

    /// <summary>A dict's place for an entry.</summary>
    private const int EntryBytes = 96;

    /// <summary>Characters of any value that is no string, list, dict or large integer, with what stands around it.</summary>
    private const int ScalarCharacters = 40;

    /// <summary>An object of some fields: a bound method, an undefined value, an empty list.</summary>
    private const int ObjectBytes = 128;

    private long _steps;
    private long _bytes;
    private int _callDepth;

    public void Step(long count = 1)
    {
        // The first comparison keeps the sum from running over.
        if (count > limits.Steps || (_steps += count) > limits.Steps)
        {
            throw new RenderError($"the template needs more than {limits.Steps} steps");
        }
    }

    /// <summary>To be called before a string of this length is made.</summary>
    public void Characters(long count) => Bytes(StringBytes + 2 * Math.Min(count, limits.Bytes));

    /// <summary>To be called before text of this length is added to a string that is being made.</summary>
    public void Growth(long count) => Bytes(2 * Math.Min(count, limits.Bytes));

    /// <summary>To be called before a value that is no string, list or dict is written out.</summary>
    public void Scalar(object? value) => Growth(value is BigInteger ? ScalarCharacters + (2 * Values.MaxDigits) : ScalarCharacters);

    /// <summary>To be called before a list of so many items is made, or grows by them.</summary>
    public void Slots(long count)
    {
        Step(count);
        Bytes(SlotBytes * count);
    }

    /// <summary>To be called before so many strings are cut out of one of this length.</summary>
    public void Cuts(long count, long length)
    {
        Slots(count);
        Bytes(StringBytes * count + 2 * length);
    }

    /// <summary>To be called before an entry is added to a dict; its key is hashed.</summary>
    public void Entry(object? key)
    {
        Work(key as string);
        Bytes(EntryBytes);
    }

    /// <summary>To be called before small objects are made that a template can keep.</summary>
    public void Objects(long count = 1) => Bytes(ObjectBytes * count);

    /// <summary>To be called with each value an operation is about to walk through.</summary>
    public void Work(object? value) => Step(value switch
    {
        string text => 1 + (text.Length >> 5),
        IReadOnlyList<object?> list => 1 + (list.Count >> 2),
        Dict dict => 1 + (dict.Count >> 2),
        _ => 1,
    });

    /// <summary>To be called before a text is searched for another. At worst, the other is compared at every position.</summary>
    public void Search(string text, string part) => Step(1 + (text.Length >> 5) + (((long)text.Length * part.Length) >> 10));

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

    private void Bytes(long count)
    {
        if (count > limits.Bytes || (_bytes += count) > limits.Bytes)
        {
            throw new RenderError($"the template needs more than {limits.Bytes} bytes of memory");
        }
    }
}
