using System.Globalization;
using System.Text;
using Cluster.Common;

namespace Cluster.Operator.Plugin;

/// <summary>A conversation: keeps what was said, streams answers as they come, markdown left as it is. Called by
/// <c>kubectl mdep chat</c>.</summary>
/// <param name="ask">Streams the answer to a conversation.</param>
/// <param name="system">The first message; null for none.</param>
/// <param name="interruptible">Runs something with a token that Ctrl-C cancels, without ending the process.</param>
internal sealed class ChatSession(
    Func<IReadOnlyList<ChatMessage>, CancellationToken, IAsyncEnumerable<ChatPiece>> ask, string? system,
    Func<Func<CancellationToken, Task>, Task> interruptible, TimeProvider time)
{
    public const string Prompt = "> ";
    private const string Grey = "\e[90m";
    private const string Plain = "\e[0m";

    private readonly List<ChatMessage> _messages = system is null ? [] : [new ChatMessage("system", system)];

    /// <summary>One question and its answer, which is all that is written.</summary>
    /// <exception cref="CommandFailure">There was no answer, or only a part of one.</exception>
    public async Task OnceAsync(string question, TextWriter output, CancellationToken cancellationToken)
    {
        _messages.Add(new ChatMessage("user", question));
        await foreach (var piece in ask(_messages, cancellationToken))
        {
            if (!piece.IsReasoning)
            {
                await output.WriteAsync(piece.Text);
                await output.FlushAsync(cancellationToken);
            }
        }

        await output.WriteLineAsync();
    }

    /// <summary>Questions and answers until <c>/exit</c> or the end of the input.</summary>
    /// <param name="colour">Whether the terminal shows colours.</param>
    public async Task TalkAsync(TextReader input, TextWriter output, bool colour)
    {
        while (true)
        {
            await output.WriteAsync(Prompt);
            await output.FlushAsync();
            switch ((await input.ReadLineAsync())?.Trim())
            {
                case null:
                    await output.WriteLineAsync();
                    return;
                case "/exit" or "/quit":
                    return;
                case "":
                    continue;
                case "/reset":
                    _messages.RemoveAll(message => message.Role != "system");
                    await output.WriteLineAsync(Greyed("a new conversation", colour));
                    continue;
                case ['/', ..] and var command:
                    await output.WriteLineAsync(
                        Greyed($"{command}: there are /reset (a new conversation) and /exit; Ctrl-C ends an answer", colour));
                    continue;
                case var question:
                    await AnswerAsync(question, output, colour);
                    break;
            }
        }
    }

    private async Task AnswerAsync(string question, TextWriter output, bool colour)
    {
        _messages.Add(new ChatMessage("user", question));
        StringBuilder answer = new();
        var started = time.GetTimestamp();
        string? end = null;
        try
        {
            await interruptible(token => StreamAsync(output, colour, answer, tokens => end = Figures(tokens, started), token));
        }
        catch (OperationCanceledException)
        {
            end = "interrupted";
        }
        catch (CommandFailure failure)
        {
            end = $"error: {failure.Message}";
        }

        if (answer.Length > 0)
        {
            // Also a part of one: the next question may be about it.
            _messages.Add(new ChatMessage("assistant", answer.ToString()));
        }
        else
        {
            _messages.RemoveAt(_messages.Count - 1);
        }

        await output.WriteLineAsync();
        if (end is not null)
        {
            await output.WriteLineAsync(Greyed(end, colour));
        }
    }

    private async Task StreamAsync(
        TextWriter output, bool colour, StringBuilder answer, Action<int> ended, CancellationToken cancellationToken)
    {
        await foreach (var piece in ask(_messages, cancellationToken).WithCancellation(cancellationToken))
        {
            await output.WriteAsync(piece.IsReasoning ? Greyed(piece.Text, colour) : piece.Text);
            await output.FlushAsync(cancellationToken);
            answer.Append(piece.IsReasoning ? "" : piece.Text);
            if (piece.Tokens is { } tokens)
            {
                ended(tokens);
            }
        }
    }

    private string Figures(int tokens, long started) => string.Create(
        CultureInfo.InvariantCulture,
        $"{tokens} tokens, {tokens / Math.Max(time.GetElapsedTime(started).TotalSeconds, 1e-3):0.0} tokens/s");

    private static string Greyed(string text, bool colour) => colour ? Grey + text + Plain : text;
}
