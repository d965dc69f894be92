namespace Cluster.Worker.Serving.Http;

/// <summary>Finds tool calls in the output of one choice as it comes. Made by <see cref="ChatTools"/>, fed by
/// <see cref="ChatCompletionsEndpoint"/>.</summary>
internal interface ICallParser
{
    /// <summary>Whether the finish reason of an answer that stops is <c>tool_calls</c>.</summary>
    bool StopsForCalls { get; }

    /// <summary>Takes the next text.</summary>
    /// <param name="ended">No more text will come: nothing is held back any longer, and a call that lacks only its end counts.</param>
    ParsedOutput Add(string text, bool ended);
}
