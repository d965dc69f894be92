namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>What one rendering may use. Templates come with checkpoints and are not to be trusted with the server's time or
/// memory.</summary>
/// <param name="Steps">Expressions evaluated, statements executed and list items made.</param>
/// <param name="Bytes">Memory of all strings, lists, dicts and methods made on the way, kept or not.</param>
/// <param name="CallDepth">Macros inside macros.</param>
internal sealed record RenderLimits(long Steps, long Bytes, int CallDepth)
{
    /// <summary>Renders thousands of messages with the longest published templates, and ends a hostile one within seconds and 256
    /// MB.</summary>
    public static RenderLimits Default { get; } = new(Steps: 10_000_000, Bytes: 1 << 28, CallDepth: 100);
}
