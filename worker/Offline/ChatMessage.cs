namespace Cluster.Worker.Offline;

/// <summary>A message of a conversation.</summary>
/// <param name="Role"><c>system</c>, <c>user</c>, <c>assistant</c>, or whatever else the model's template knows.</param>
/// <param name="Content">Its text.</param>
public sealed record ChatMessage(string Role, string Content)
{
    /// <summary>A message of the role <c>system</c>.</summary>
    public static ChatMessage System(string content) => new("system", content);

    /// <summary>A message of the role <c>user</c>.</summary>
    public static ChatMessage User(string content) => new("user", content);

    /// <summary>A message of the role <c>assistant</c>.</summary>
    public static ChatMessage Assistant(string content) => new("assistant", content);
}
