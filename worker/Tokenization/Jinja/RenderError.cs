namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>An operation failed while rendering. Thrown where the line is not known; <see cref="Template"/> adds it.</summary>
internal sealed class RenderError(string message) : Exception(message);
