using Cluster.Worker.Draws;

namespace Cluster.Worker.Models.Running;

/// <summary>One step's packed batch, as plain host numbers: what the scheduler plans and a model runner executes.
/// Reused from step to step; arrays grow and never shrink.</summary>
/// <remarks>
/// Three sequences, of which one decodes and two prefill:
/// <code>
/// TokenIds     [ d | p p p p | q q ]        rows packed, sequence after sequence; decode rows first
/// Positions    [ 41| 0 1 2 3 | 16 17 ]
/// SlotMapping  [ …  one cache slot a row: block · BlockSize + offset ]      NumGroups times, see KvGroups
/// QueryStarts  [ 0, 1, 5, 7 ]               NumSequences + 1 entries
/// ContextLengths [ 42, 4, 18 ]              tokens in cache after this step
/// BlockTables  [ NumSequences × MaxBlocks ] row-major, padded with 0       NumGroups times
/// LogitRows    [ 0, 6 ]                     rows whose logits are wanted
/// BlockCopies  [ 7,9 | 7,3 ]                cache blocks, source and destination, copied in order before any row is computed
/// </code>
/// A row may read slots that rows of another sequence write in the same step (a prefix shared the moment it is planned), so in every layer
/// all keys and values are written before any attention reads them. An entry of a block table is 0, too, where a group's layers read its
/// positions no more.
/// </remarks>
internal sealed class StepBatch
{
    public int NumTokens { get; set; }

    public int NumSequences { get; set; }

    public int NumLogits { get; set; }

    /// <summary>Groups of layers with slots and block tables of their own.</summary>
    public int NumGroups { get; set; } = 1;

    /// <summary>Width of a block-table row in this step.</summary>
    public int MaxBlocks { get; set; }

    public int MaxQueryLength { get; set; }

    public int MaxContextLength { get; set; }

    public int[] TokenIds { get; set; } = [];

    public int[] Positions { get; set; } = [];

    /// <summary>Group after group, as in <see cref="BlockTables"/>.</summary>
    public int[] SlotMapping { get; set; } = [];

    public int[] QueryStarts { get; set; } = [];

    public int[] ContextLengths { get; set; } = [];

    public int[] BlockTables { get; set; } = [];

    public int[] LogitRows { get; set; } = [];

    /// <summary>Pairs in <see cref="BlockCopies"/>; at most one for each sequence and group.</summary>
    public int NumBlockCopies { get; set; }

    public int[] BlockCopies { get; set; } = [];

    /// <summary>Tokens to choose on the device; for runners that do (<see cref="IModelRunner.SamplesOnDevice"/>). Rows of logits that a
    /// draw is made from are not downloaded.</summary>
    public DrawBatch Draws { get; } = new();
}
