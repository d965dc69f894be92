using Cluster.Common;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>What <c>tensorParallelSize: auto</c> has become.</summary>
/// <param name="Sizing">For the status.</param>
/// <param name="Shortage">Why there is no number; null when there is one.</param>
/// <param name="IsNew">Decided just now: it has to be on the server before anything is done by it.</param>
internal sealed record SizeDecision(SizingStatus Sizing, Shortage? Shortage, bool IsNew)
{
    /// <summary>Why the model's configuration could not be had; null when it could.</summary>
    public string? ConfigProblem { get; init; }
}

/// <summary>Replaces <c>auto</c> by a number: reads the model's configuration and asks <see cref="SizingAdvisor"/>. What was decided
/// stands in the status and holds until what it depends on in the spec changes, for a new degree replaces every pod. Called by
/// <see cref="ModelDeploymentReconciler"/> and <see cref="Rendering"/>.</summary>
/// <param name="classes">The GPUs that pods may go to, see <see cref="GpuClass.Of"/>.</param>
internal sealed class SizeDecider(
    IModelConfigs configs, WorkerOptions options, Func<GpuSpec, PodRequirements, IReadOnlyList<GpuClass>> classes)
{

    /// <returns>Null for a deployment that has a number.</returns>
    /// <exception cref="InvalidModelDeploymentException">No pod can be made from this deployment, however many GPUs it gets.</exception>
    public async Task<SizeDecision?> DecideAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        if (!deployment.Spec.TensorParallelSize.IsAuto)
        {
            return null;
        }

        var spec = deployment.Spec;
        var hash = SizingInputs.HashOf(spec);
        if (deployment.Status?.Sizing is { TensorParallelSize: not null } before && before.InputsHash == hash)
        {
            return new SizeDecision(before, null, IsNew: false);
        }

        var requirements = WorkerTemplate.RequirementsOf(deployment, options);
        var inputs = SizingInputs.Of(spec);
        ModelShape model;
        ModelShape? draft;
        string origin;
        try
        {
            (model, origin) = await ReadAsync(
                spec.Model.Source, spec.Model.Config is null ? null : new ModelConfig(spec.Model.Config, null, "spec.model.config"),
                spec.Engine.Quantization, cancellationToken);
            SizingAdvisor.RequireDegree(model);
            draft = spec.Engine.Speculative is { Model: not WorkerFlags.Ngram } speculative
                ? (await ReadAsync(speculative.Model, null, null, cancellationToken)).Shape
                : null;
        }
        catch (ModelConfigException e)
        {
            return Undecided(
                new SizingStatus { OptimizedFor = inputs.OptimizeFor.ToString() }, Shortage.ModelConfigUnknown,
                $"tensorParallelSize auto cannot be decided: {e.Message}; {e.Remedy}") with
            { ConfigProblem = e.Message };
        }

        var found = classes(spec.Gpu, requirements);
        if (found.Count == 0)
        {
            return Undecided(
                new SizingStatus { OptimizedFor = inputs.OptimizeFor.ToString(), ConfiguredBy = origin, WeightBytes = model.WeightBytes },
                Shortage.NoGpuNodes,
                $"tensorParallelSize auto is decided once a node that the pods may go to publishes its GPUs' memory (annotation "
                + $"{ApiNames.NodeGpusAnnotation} or label {GpuClass.VramLabel}); there is none");
        }

        var sizing = SizingAdvisor.Advise(model, draft, inputs, found);
        sizing.ConfiguredBy = origin;
        if (sizing.TensorParallelSize is null)
        {
            return Undecided(sizing, Shortage.ModelTooLarge, sizing.Message!);
        }

        sizing.InputsHash = hash;
        return new SizeDecision(sizing, null, IsNew: true);
    }

    private static SizeDecision Undecided(SizingStatus sizing, string reason, string message)
    {
        sizing.Message = message;
        return new SizeDecision(sizing, new Shortage(reason, message), IsNew: false);
    }

    /// <param name="given">What the spec carries; null to read it at the source.</param>
    /// <param name="quantization">What the spec asks for.</param>
    private async Task<(ModelShape Shape, string Origin)> ReadAsync(
        string source, ModelConfig? given, string? quantization, CancellationToken cancellationToken)
    {
        if (source.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
        {
            // Each of its tensors has a format of its own, which config.json says nothing of.
            throw new ModelConfigException($"{source} is a GGUF file, and the operator does not read how its tensors are stored")
            {
                Remedy = ModelConfigException.Number,
            };
        }

        var config = given ?? await configs.ReadAsync(ModelSource.Parse(source), cancellationToken);

        // Whatever dtype the spec asks for: workers keep weights as they are stored, unless they are to round them.
        var stored = ModelShapeReader.Read(config.Json);
        var shape = stored.Format.Bits is null && QuantizationMethods.AtLoad.Contains(quantization)
            ? ModelShapeReader.Read(config.Json, quantization)
            : stored with { CheckpointBytes = config.WeightBytes };
        return (shape, config.Origin);
    }
}
