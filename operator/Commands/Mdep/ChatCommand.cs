using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Plugin;

namespace Cluster.Operator.Commands.Mdep;

/// <summary><c>kubectl mdep chat</c>: a conversation with a deployment.</summary>
internal static class ChatCommand
{
    public static Command Create()
    {
        var server = new ServerOptions();
        Option<string?> system = new("--system") { Description = "The system message.", HelpName = "TEXT" };
        var temperature = new Option<double?>("--temperature")
        {
            Description = "0 always takes the likeliest token. Default: the model's own.",
            HelpName = "X"
        }.Only(value => value is >= 0 and <= 100, "from 0 to 100");
        var topP = new Option<double?>("--top-p")
        {
            Description = "Only the likeliest tokens that together have this probability.",
            HelpName = "X"
        }.Only(value => value is > 0 and <= 1, "above 0, up to 1");
        var maxTokens = new Option<int?>("--max-tokens") { Description = "Most tokens of an answer.", HelpName = "N" }.Between(1);
        Option<int?> seed = new("--seed") { Description = "The same one gives the same answer.", HelpName = "N" };
        Option<string?> once = new("--once")
        {
            Description = "Ask this, print the answer alone, and end. So does a prompt on standard input.",
            HelpName = "PROMPT"
        };
        var command = new TaughtCommand(
            "chat",
            "A conversation with a deployment, answers streamed as they come. /reset begins anew, /exit or Ctrl-D ends it; Ctrl-C ends an "
            + $"answer. It stays with one replica. A key is taken from {ApiKey.Variable}.",
            """
            kubectl mdep chat haiku --system "You answer in haiku."
            kubectl mdep chat haiku --once "Write a haiku about autumn" --temperature 0
            git diff | kubectl mdep chat coder --system "Write a commit message."
            kubectl mdep chat haiku --address http://gateway.example:8080
            """)
        { system, temperature, topP, maxTokens, seed, once };
        server.AddTo(command);
        command.SetAction(async arguments =>
        {
            using Interrupts interrupts = new();
            using var servers = await server.OpenAsync(arguments, CancellationToken.None);
            ChatSettings settings = new(
                arguments.GetValue(temperature), arguments.GetValue(topP), arguments.GetValue(maxTokens), arguments.GetValue(seed));
            var (replica, http) = servers.All[0];
            ChatClient client = new(http, servers.Model, settings, replica);
            ChatSession session = new(client.AskAsync, arguments.GetValue(system), interrupts.RunAsync, TimeProvider.System);
            if (arguments.GetValue(once) is { } question)
            {
                return await OnceAsync(session, interrupts, question);
            }

            if (Console.IsInputRedirected)
            {
                var text = (await Console.In.ReadToEndAsync()).Trim();
                return text.Length > 0
                    ? await OnceAsync(session, interrupts, text)
                    : throw new CommandFailure("there is no prompt: standard input is empty, and --once is not given");
            }

            interrupts.WhenIdle = () => Console.Out.Write($"\n/exit or Ctrl-D ends\n{ChatSession.Prompt}");
            await Console.Out.WriteLineAsync($"{servers.Model} on {replica}; /exit ends, /reset begins anew, Ctrl-C ends an answer");
            await session.TalkAsync(
                Console.In, Console.Out,
                colour: !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or "");
            return 0;
        });
        return command;
    }

    private static async Task<int> OnceAsync(ChatSession session, Interrupts interrupts, string question)
    {
        try
        {
            await interrupts.RunAsync(token => session.OnceAsync(question, Console.Out, token));
            return 0;
        }
        catch (OperationCanceledException)
        {
            return Interrupts.ExitCode;
        }
    }
}
