using System.CommandLine;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary><c>fetch</c>: brings models to this machine and ends, so that whoever loads them later need not wait. The operator runs it on
/// every node for <c>spec.model.preload</c>.</summary>
internal static class FetchCommand
{
    public static Command Create()
    {
        var models = new Argument<string[]>("MODEL")
        {
            Description = "Model on the hub, such as hf://org/name@revision, or a folder, which is looked through only. Can be repeated.",
            Arity = ArgumentArity.OneOrMore,
        };
        var folder = new Option<string?>("--download-dir")
        {
            Description = "Folder to download to. Default: the hub's cache, HF_HUB_CACHE or HF_HOME/hub.",
            HelpName = "DIR",
        };
        var command = new Command(
            "fetch",
            "Downloads what is needed of models and is not there yet, says where each is, and ends. What was broken off goes on where it "
            + "ended.")
        {
            models, folder,
        };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            foreach (var model in arguments.GetRequiredValue(models))
            {
                var path = await ModelFolder.FetchAsync(
                    model, arguments.GetValue(folder), Console.Error.WriteLine, cancellationToken);
                Console.WriteLine($"{model} is in {path}");
            }

            return 0;
        });
        return command;
    }
}
