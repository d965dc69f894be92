using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Limits;
using Cluster.Worker.Tokenization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Connections;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>The status a call ends with for an exception.</summary>
internal static partial class CallFailures
{
    public static Status DeadlinePassed { get; } = new(StatusCode.DeadlineExceeded, "the call's deadline passed");

    /// <summary>For an exception nobody foresaw. Tells nothing of it.</summary>
    private static Status Unexpected { get; } = new(StatusCode.Internal, "internal error; the worker's log has the details");

    public static RpcException Error(StatusCode status, string message) => new(new Status(status, message));

    /// <summary>The status for any exception. One that nobody foresaw is logged, and its caller told nothing of it.</summary>
    /// <param name="path">Of the call, for the log.</param>
    public static Status StatusOf(Exception exception, string? path, ILogger logger)
    {
        if (StatusOf(exception) is { } known)
        {
            return known;
        }

        LogUnexpected(logger, path, exception);
        return Unexpected;
    }

    /// <summary>What is refused on purpose, by this worker or by the library. Null for any other exception.</summary>
    public static Status? StatusOf(Exception exception) => exception switch
    {
        RpcException { Status: var status } => status,
        InvalidRequestException or PromptTooLongException or ChatTemplateException or TokenizationException =>
            new Status(StatusCode.InvalidArgument, exception.Message),
        GenerationFailedException { IsRequestsFault: true } => new Status(StatusCode.InvalidArgument, exception.Message),
        GenerationFailedException => new Status(StatusCode.Internal, exception.Message),
        QueueFullException or BodyBudgetException => new Status(StatusCode.ResourceExhausted, exception.Message),
        OutOfMemoryException => new Status(StatusCode.ResourceExhausted, "there is not enough memory for this request now"),
        EngineUnavailableException => new Status(StatusCode.Unavailable, exception.Message),

        // Google.Protobuf has no exception of its own for a string that is not UTF-8. Everything else is a client's broken encoder.
        InvalidProtocolBufferException invalid => new Status(
            invalid.Message.Contains("UTF-8", StringComparison.Ordinal) ? StatusCode.InvalidArgument : StatusCode.Internal,
            $"request message is not valid: {invalid.Message}"),
        InvalidDataException => new Status(StatusCode.Internal, $"request body is not a sequence of messages: {exception.Message}"),
        BadHttpRequestException => new Status(StatusCode.Internal, exception.Message),

        // Reading can fail before the request counts as aborted. Nobody hears this status.
        ConnectionResetException => new Status(StatusCode.Cancelled, "the client has gone"),

        // The library's word for a prefix that announces more than an int can count.
        IOException => new Status(StatusCode.ResourceExhausted, $"request body cannot be read: {exception.Message}"),
        _ => null,
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "gRPC call {Path} failed unexpectedly")]
    private static partial void LogUnexpected(ILogger logger, string? path, Exception exception);
}
