namespace Cluster.Worker.Offline;

/// <summary>A model cannot be loaded, or can be computed no more. The message says what would be right.</summary>
public sealed class LLMException : Exception
{
    internal LLMException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
