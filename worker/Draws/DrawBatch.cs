using System.Runtime.InteropServices;

namespace Cluster.Worker.Draws;

/// <summary>The tokens that a device shall choose in a step, and how. Filled by the engine, read by a backend's <c>DeviceSampler</c>;
/// reused from step to step.</summary>
/// <remarks>
/// A draw whose logits are adjusted has a slot, a copy of its row; adjustments name slots:
/// <code>
/// draws        │row 0│row 2, slot 0│row 3, slot 1│
/// slots        │row 2│row 3, mask 0│
/// masks        │bits of the vocabulary│
/// adjustments  by kind: (slot, token, value) …
/// </code>
/// </remarks>
internal sealed class DrawBatch
{
    /// <summary>Most adjustments of a step: a device has memory for so many.</summary>
    public const int MaxAdjustments = 1 << 18;

    private readonly List<DrawParameters> _draws = [];
    private readonly List<bool> _wantLogprobs = [];
    private readonly List<int> _slots = [];
    private readonly List<ulong> _masks = [];
    private readonly List<LogitAdjustment>[] _adjustments = [.. Enum.GetValues<AdjustmentKind>().Select(_ => new List<LogitAdjustment>())];
    private int _numMasks;

    public int Count => _draws.Count;

    public ReadOnlySpan<DrawParameters> Draws => CollectionsMarshal.AsSpan(_draws);

    /// <summary>Which draws want the log-probability of their token.</summary>
    public ReadOnlySpan<bool> WantLogprobs => CollectionsMarshal.AsSpan(_wantLogprobs);

    /// <summary>Row and mask of each slot, one after the other; -1 for no mask.</summary>
    public ReadOnlySpan<int> Slots => CollectionsMarshal.AsSpan(_slots);

    public int NumSlots => _slots.Count / 2;

    /// <summary>Bit i of a mask says whether token i may come; each has whole words for the vocabulary.</summary>
    public ReadOnlySpan<ulong> Masks => CollectionsMarshal.AsSpan(_masks);

    public ReadOnlySpan<LogitAdjustment> Adjustments(AdjustmentKind kind) => CollectionsMarshal.AsSpan(_adjustments[(int)kind]);

    public int NumAdjustments { get; private set; }

    public void Clear()
    {
        _draws.Clear();
        _wantLogprobs.Clear();
        _slots.Clear();
        _masks.Clear();
        _numMasks = 0;
        NumAdjustments = 0;
        Array.ForEach(_adjustments, list => list.Clear());
    }

    /// <summary>Adds a draw.</summary>
    /// <param name="draw">Reciprocal and cut are filled in here.</param>
    public void Add(DrawParameters draw, bool wantsLogprob)
    {
        draw.Reciprocal = 1 / draw.Temperature;
        draw.CutRank = uint.MaxValue;
        draw.CutToken = int.MaxValue;
        _draws.Add(draw);
        _wantLogprobs.Add(wantsLogprob);
    }

    /// <summary>Makes a copy of a row of logits, to be adjusted.</summary>
    /// <param name="mask">Tokens that may come; empty for all.</param>
    /// <returns>The slot.</returns>
    public int AddSlot(int row, ReadOnlySpan<ulong> mask)
    {
        _slots.Add(row);
        _slots.Add(mask.IsEmpty ? -1 : _numMasks++);
        _masks.AddRange(mask);
        return NumSlots - 1;
    }

    /// <param name="token">At most once for each slot and kind, but for <see cref="AdjustmentKind.Forbid"/>.</param>
    public void Adjust(AdjustmentKind kind, int slot, int token, float value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(NumAdjustments, MaxAdjustments);
        _adjustments[(int)kind].Add(new LogitAdjustment { Slot = slot, Token = token, Value = value });
        NumAdjustments++;
    }
}
