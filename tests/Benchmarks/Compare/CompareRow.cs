namespace Cluster.Benchmarks.Compare;

/// <summary>A line of the table: one kind of work, measured on both sides.</summary>
/// <param name="Id">As <c>--rows</c> spells it.</param>
/// <param name="Group">Rows of a group share what has to be loaded.</param>
/// <param name="LessIsBetter">The unit is a time or a size.</param>
/// <param name="Goal">The least that the ratio to the peer should be; null where there is none.</param>
internal sealed record CompareRow(
    string Id, string Title, CompareGroup Group, string Unit = "tok/s", bool LessIsBetter = false, double? Goal = null)
{
    public static readonly IReadOnlyList<CompareRow> All =
    [
        new("135m-prefill-256", "135m bf16, prompt of 256", CompareGroup.Small, Goal: 3),
        new("135m-prefill-2048", "135m bf16, prompt of 2,048", CompareGroup.Small, Goal: 3),
        new("135m-decode-1", "135m bf16, 1 sequence", CompareGroup.Small),
        new("135m-decode-8", "135m bf16, 8 sequences", CompareGroup.Small),
        new("135m-decode-32", "135m bf16, 32 sequences", CompareGroup.Small, Goal: 3),
        new("135m-decode-64", "135m bf16, 64 sequences", CompareGroup.Small),
        new("1b-prefill", "1b bf16, prompt of 128", CompareGroup.Large, Goal: 3),
        new("1b-decode", "1b bf16, 1 sequence", CompareGroup.Large, Goal: 1.15),
        .. Quantized(CompareGroup.EightBits, "Q8_0", 3, 1.15, "q8_0", "fp8", "w8a8", "w8a16"),
        .. Quantized(CompareGroup.FourBits, "Q4_0", null, 1.2, "q4_0", "gptq", "awq", "w4a16"),
        new("attention-8k", "attention of one layer, 8 sequences at 8,192, bf16 cache", CompareGroup.Attention, "ms", LessIsBetter: true),
        new("moe-decode-16", "8 experts of 2, 135m-like, 16 sequences", CompareGroup.Experts),
        new("start", "1b bf16, process start to ready", CompareGroup.Start, "s", LessIsBetter: true),
        new("start-memory", "1b bf16, resident when ready", CompareGroup.Start, "GB", LessIsBetter: true),
        new("serve-1", "serving 135m, 64 in, 32 out, 1 client", CompareGroup.Serving, Goal: 1.2),
        new("serve-8", "serving 135m, 64 in, 32 out, 8 clients", CompareGroup.Serving, Goal: 2),
        new("serve-32", "serving 135m, 64 in, 32 out, 32 clients", CompareGroup.Serving, Goal: 2.5),
        new("serve-1-ttft", "the same, median time to first token, 1 client", CompareGroup.Serving, "ms", LessIsBetter: true, Goal: 1),
        new("serve-8-ttft", "the same, 8 clients", CompareGroup.Serving, "ms", LessIsBetter: true, Goal: 1),
        new("serve-32-ttft", "the same, 32 clients", CompareGroup.Serving, "ms", LessIsBetter: true, Goal: 1),
    ];

    /// <summary>Whether <c>--rows</c> means it: by its id, or by the beginning of it up to a dash.</summary>
    public bool Is(string asked) => Id == asked || Id.StartsWith(asked + "-", StringComparison.Ordinal);

    /// <summary>Our formats beside the one that the peer has.</summary>
    private static IEnumerable<CompareRow> Quantized(
        CompareGroup group, string peer, double? prefill, double decode, params string[] formats) =>
        formats.SelectMany(format => (CompareRow[])
        [
            new($"1b-{format}-prefill", $"1b {format} beside {peer}, prompt of 128", group, Goal: prefill),
            new($"1b-{format}-decode", $"1b {format} beside {peer}, 1 sequence", group, Goal: decode),
        ]);
}

/// <summary>What is loaded once for several rows.</summary>
internal enum CompareGroup
{
    Small,
    Large,
    EightBits,
    FourBits,
    Attention,
    Experts,
    Start,
    Serving,
}
