using Cluster.Worker.Engine;
using Cluster.Worker.Models.Sources;
using Cluster.Worker.Serving.Http;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Offline;

/// <summary>Turns exceptions of the rooms below into those that callers of <see cref="LLM"/> can catch.</summary>
internal static class OfflineFailure
{
    /// <returns>What to throw in its place; the exception itself where it is everybody's.</returns>
    public static Exception Of(Exception exception) => exception switch
    {
        InvalidRequestException or ApiException or ChatTemplateException or TokenizationException =>
            new ArgumentException(exception.Message, exception),
        OperationCanceledException or ArgumentException or ObjectDisposedException or LLMException => exception,
        HubException or FormatException or IOException or UnauthorizedAccessException or GenerationFailedException =>
            new LLMException(exception.Message, exception),
        _ when ExplainedFailure.Is(exception) => new LLMException(exception.Message, exception),
        _ => exception,
    };
}
