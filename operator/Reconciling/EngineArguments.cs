using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>The worker's command line for a spec: flags from the table that the worker reads them by, <see cref="WorkerFlags"/>. Called by
/// <see cref="WorkerPodSpec"/>.</summary>
internal static class EngineArguments
{
    /// <param name="model">What <c>--model</c> is told.</param>
    /// <param name="draft">What <c>--speculative-model</c> is told; null without speculation.</param>
    public static JsonArray For(ModelDeployment deployment, string model, string? draft)
    {
        var spec = deployment.Spec;
        JsonArray arguments = ["serve"];
        Add(WorkerFlags.Model, model);
        Add(WorkerFlags.Host, "0.0.0.0");
        Add(WorkerFlags.Port, WorkerFlags.DefaultHttpPort);
        Add(WorkerFlags.GrpcPort, WorkerFlags.DefaultGrpcPort);
        Add(WorkerFlags.ServedModelName, deployment.ServedName());
        Add(WorkerFlags.TensorParallelSize, spec.TensorParallelSize.Degree);
        Add(WorkerFlags.ShutdownTimeout, spec.DrainSeconds);
        foreach (var (property, flag) in FlagFields<EngineSpec>.All)
        {
            Add(flag, property.GetValue(spec.Engine));
        }

        if (draft is not null)
        {
            Add(WorkerFlags.SpeculativeModel, draft);
            Add(WorkerFlags.NumSpeculativeTokens, spec.Engine.Speculative!.NumTokens);
        }

        foreach (var extra in spec.Engine.ExtraArgs ?? [])
        {
            arguments.Add(extra);
        }

        return arguments;

        void Add(WorkerFlag flag, object? value)
        {
            switch (value)
            {
                case null:
                    break;
                case bool on:
                    // One argument: "--flag false" in two would be read as the flag and a stray word by some parsers.
                    arguments.Add($"{flag.Name}={(on ? "true" : "false")}");
                    break;
                default:
                    arguments.Add(flag.Name);
                    arguments.Add(Convert.ToString(value, CultureInfo.InvariantCulture));
                    break;
            }
        }
    }
}
