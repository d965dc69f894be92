using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Startup;

/// <summary>Chooses the chat template of a worker: the one it was given (<c>--chat-template</c>), else the checkpoint's. Called by
/// <see cref="TextEngine"/>.</summary>
internal static class ServedTemplate
{
    /// <param name="given">A file, or the template itself; null for the checkpoint's.</param>
    /// <param name="log">Is told of a template that cannot be used, which keeps no worker from starting.</param>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="StartupException">What was given is neither a file nor a template.</exception>
    public static IChatTemplate? Load(string folder, string? given, Action<string> log)
    {
        // What is given is the operator's mistake to see at once; how it is written shows at the first chat, as in vLLM.
        var source = given is null ? null : SourceOf(given);
        try
        {
            return source is null ? ChatTemplate.Load(folder)
                : new ChatTemplate(source, null, SpecialTokenNames.Read(folder));
        }
        catch (Exception exception) when (exception is ChatTemplateException or TokenizerFormatException)
        {
            log($"the chat template cannot be used, chat requests are refused: {exception.Message}");
            return new BrokenChatTemplate(exception.Message);
        }
    }

    private static string SourceOf(string given)
    {
        if (!given.Contains('\0') && RegularFile.IsThere(given))
        {
            try
            {
                // Named by the user: a link may lead anywhere.
                return RegularFile.ReadText(given, FileKind.ChatTemplate with { StaysInFolder = false });
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new StartupException($"--chat-template {given}: {exception.Message}", exception);
            }
        }

        return given.AsSpan().ContainsAny('{', '}', '\n')
            ? given
            : throw new StartupException($"--chat-template {given}: there is no such file, and it is no template itself");
    }
}
