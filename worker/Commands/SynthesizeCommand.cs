using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Sources;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary><c>synthesize</c>: writes a synthetic model as the files that a published one has, for measuring how checkpoints load and for
/// other programs.</summary>
internal static class SynthesizeCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model")
        {
            Description = $"A synthetic model. There are {SyntheticModel.Available}.",
            HelpName = "synthetic:NAME",
            Required = true,
        };
        var output = new Option<string>("--output")
        {
            Description = "Folder to write a checkpoint of Hugging Face's form into; with --gguf the file to write.",
            HelpName = "PATH",
            Required = true,
        };
        var gguf = new Option<string?>("--gguf")
        {
            Description = "Writes a GGUF file whose matrices have this type.",
            HelpName = "TYPE",
        };
        gguf.AcceptOnlyFromAmong([.. BlockEncoder.Types.Select(type => type.ToString().ToLowerInvariant())]);
        var command = new Command(
            "synthesize", "Writes a synthetic model as a checkpoint: config.json, a tokenizer, and safetensors or a GGUF file.")
        {
            model, output, gguf,
        };
        command.SetAction(arguments => RunAsync(
            arguments.GetValue(model)!, arguments.GetValue(output)!,
            arguments.GetValue(gguf) is { } type ? Enum.Parse<GgufType>(type, ignoreCase: true) : null));
        return command;
    }

    private static async Task<int> RunAsync(string name, string output, GgufType? type)
    {
        var clock = Stopwatch.StartNew();
        long bytes = 0;
        try
        {
            var model = SyntheticModel.Find(name);
            await CountBar.RunAsync($"writing {name}", report => Task.Run(() =>
            {
                void Written(long done, long total)
                {
                    bytes = total;
                    report((int)(done >> 20), (int)(total >> 20), " MiB");
                }

                if (type is { } stored)
                {
                    SyntheticGguf.Write(model, stored, output, Written);
                }
                else
                {
                    WriteFolder(model, output, Written);
                }

                return true;
            }));
        }
        catch (ArgumentException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{output}: {bytes * 1e-9:F2} GB of weights written in {clock.Elapsed.TotalSeconds:F1} s"));
        return 0;
    }

    private static void WriteFolder(SyntheticModel model, string folder, Action<long, long> written)
    {
        Directory.CreateDirectory(folder);

        // The weights last: a folder with them is whole.
        foreach (var file in (string[])["config.json", TokenizerReader.FileName, TokenizerReader.ConfigFileName])
        {
            WholeFile.Write(Path.Combine(folder, file), model.Read(file));
        }

        CheckpointWriter.Write(Path.Combine(folder, Checkpoint.SingleFile), model.Weights(), model.EmptyWeights(), written);
    }
}
