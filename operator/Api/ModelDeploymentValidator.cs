using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.Common;

namespace Cluster.Operator.Api;

/// <summary>Finds what the CRD's schema cannot say: contradictions between fields, and settings that would fight the operator's own. Pure;
/// called by the reconciler and <c>render</c>.</summary>
/// <remarks>Some rules repeat CEL rules of the CRD: an older API server, or a schema of another version, may have let them pass.</remarks>
internal static partial class ModelDeploymentValidator
{
    private const int MaxNameLength = 52;
    private const int MaxNcclChannels = 1024;

    /// <summary>RCCL warns and ignores more with fewer than <see cref="RanksForManyChannels"/> ranks.</summary>
    private const int ChannelsWithFewRanks = 64;

    private const int RanksForManyChannels = 8;
    internal const string NcclVariable = "NCCL_MIN_NCHANNELS";

    /// <returns>Everything that is wrong, in the order of the fields; empty for a valid deployment.</returns>
    public static IReadOnlyList<ValidationError> Validate(ModelDeployment deployment)
    {
        List<ValidationError> errors = [];
        var spec = deployment.Spec;
        CheckName(deployment.Metadata.Name, errors);
        CheckSources(spec, errors);
        AutoscalingValidator.Validate(spec, errors);
        CheckSize(spec, errors);
        CheckGpu(spec, errors);
        CheckEngine(spec.Engine, errors);
        CheckTuning(spec, errors);
        if (spec.Rollout is { MaxUnavailable: <= 0, MaxSurge: <= 0 })
        {
            errors.Add(
                new("spec.rollout", ValidationReason.Invalid,
                    "maxUnavailable and maxSurge cannot both be 0: no pod could ever be replaced"));
        }

        if (spec.PodTemplate is { } template)
        {
            PodTemplateValidator.Validate(template, spec, errors);
        }

        return errors;
    }

    private static void CheckName(string name, List<ValidationError> errors)
    {
        if (name.Length > MaxNameLength || !ServiceName().IsMatch(name))
        {
            errors.Add(new("metadata.name", ValidationReason.Invalid,
                $"'{name}' must start with a lower case letter, hold only lower case letters, digits and '-', and be at most "
                + $"{MaxNameLength} characters long: pods and Services are named after it"));
        }
    }

    private static void CheckSources(ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        if (spec.Model.Source.Length == 0)
        {
            errors.Add(
                new("spec.model.source", ValidationReason.Required,
                    "a model is needed: hf://org/name, oci://registry/image, pvc://claim/path or file:///path"));
        }
        else if (!ModelSource.TryParse(spec.Model.Source, out _, out var problem))
        {
            errors.Add(new("spec.model.source", ValidationReason.Invalid, problem));
        }

        if (spec.Engine.Speculative is { Model: not WorkerFlags.Ngram } speculative
            && !ModelSource.TryParse(speculative.Model, out _, out var draftProblem))
        {
            errors.Add(new("spec.engine.speculative.model", ValidationReason.Invalid, $"{draftProblem}, or {WorkerFlags.Ngram}"));
        }

        var usesHub = IsHub(spec.Model.Source) || IsHub(spec.Engine.Speculative?.Model);
        if (spec.Model.TokenSecretRef is { } token && !usesHub)
        {
            errors.Add(new("spec.model.tokenSecretRef", ValidationReason.Forbidden,
                $"'{token.Name}' is a Hugging Face token, but '{spec.Model.Source}' does not come from the hub"));
        }

        if (spec.Model.Preload == true && !usesHub && !IsImage(spec.Model.Source) && !IsImage(spec.Engine.Speculative?.Model))
        {
            errors.Add(new("spec.model.preload", ValidationReason.Forbidden,
                $"downloads what is not there yet, and '{spec.Model.Source}' is: it needs an hf:// or oci:// source"));
        }

        if (spec.Model.Cache is { } cache)
        {
            CheckCache(cache, usesHub, spec.Model.Source, errors);
        }
    }

    /// <summary>Whether it means to name a repository of the hub, if only a wrong one.</summary>
    private static bool IsHub(string? source) => source?.StartsWith("hf://", StringComparison.Ordinal) == true;

    private static bool IsImage(string? source) => source?.StartsWith("oci://", StringComparison.Ordinal) == true;

    private static void CheckCache(string cache, bool usesHub, string source, List<ValidationError> errors)
    {
        if (!ModelSource.TryParse(cache, out var folder, out var problem))
        {
            errors.Add(new("spec.model.cache", ValidationReason.Invalid, problem));
        }
        else if (folder is ModelSource.Hf or ModelSource.Oci)
        {
            errors.Add(
                new("spec.model.cache", ValidationReason.Invalid, $"'{cache}' is no folder; expected pvc://claim/path or file:///path"));
        }
        else if (!usesHub)
        {
            errors.Add(
                new("spec.model.cache", ValidationReason.Forbidden,
                    $"'{cache}' keeps what is downloaded from the hub, but '{source}' does not come from there"));
        }
    }

    private static void CheckSize(ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        var size = spec.TensorParallelSize;
        if (size.IsAuto)
        {
            if (spec.OptimizeFor is { } purpose)
            {
                CheckEnum(purpose, "spec.optimizeFor", errors);
            }

            return;
        }

        if (size.Word is not null || size.Degree is < 1 or > TensorParallelSize.Largest)
        {
            errors.Add(
                new("spec.tensorParallelSize", ValidationReason.Invalid,
                    $"{size} must be {TensorParallelSize.AutoWord} or an integer from 1 to {TensorParallelSize.Largest}"));
        }

        if (spec.OptimizeFor is not null)
        {
            errors.Add(
                new("spec.optimizeFor", ValidationReason.Forbidden,
                    $"says what tensorParallelSize {TensorParallelSize.AutoWord} is chosen for; it has no effect with {size}"));
        }

        if (spec.Model.Config is not null)
        {
            errors.Add(
                new("spec.model.config", ValidationReason.Forbidden,
                    $"is what tensorParallelSize {TensorParallelSize.AutoWord} is computed from; it has no effect with {size}"));
        }
    }

    private static void CheckGpu(ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        var gpu = spec.Gpu;
        CheckEnum(gpu.Allocation, "spec.gpu.allocation", errors);
        CheckEnum(gpu.DeviceAccess, "spec.gpu.deviceAccess", errors);
        CheckEnum(gpu.Placement, "spec.gpu.placement", errors);
        if (gpu is { Allocation: GpuAllocation.ResourceClaim, ResourceName: not GpuSpec.DefaultResourceName })
        {
            errors.Add(new("spec.gpu.resourceName", ValidationReason.Forbidden,
                $"'{gpu.ResourceName}' is a device plugin's resource; with ResourceClaim GPUs are claimed by device class"));
        }

        if (gpu.Allocation == GpuAllocation.ResourceClaim && spec.TensorParallelSize.IsAuto)
        {
            errors.Add(new("spec.tensorParallelSize", ValidationReason.Forbidden,
                $"{TensorParallelSize.AutoWord} is chosen by the nodes' GPUs; with gpu.allocation ResourceClaim only the scheduler knows "
                + "them: give a number"));
        }

        if (gpu.Allocation == GpuAllocation.Pinned)
        {
            return;
        }

        if (gpu.DeviceAccess != DeviceAccess.Privileged)
        {
            errors.Add(new("spec.gpu.deviceAccess", ValidationReason.Forbidden,
                $"{gpu.DeviceAccess} applies to allocation Pinned only; with {gpu.Allocation} the kubelet opens the devices"));
        }

        if (!gpu.RequireSameHive)
        {
            errors.Add(new("spec.gpu.requireSameHive", ValidationReason.Forbidden,
                $"false applies to allocation Pinned only; with {gpu.Allocation} the operator does not choose the GPUs"));
        }

        if (gpu.Placement == GpuPlacementPolicy.Spread)
        {
            errors.Add(new("spec.gpu.placement", ValidationReason.Forbidden,
                $"Spread applies to allocation Pinned only; with {gpu.Allocation} the scheduler chooses the node (use "
                + "podTemplate.spec.topologySpreadConstraints)"));
        }
    }

    private static void CheckEngine(EngineSpec engine, List<ValidationError> errors)
    {
        EngineFieldValidator.Validate(engine, "spec.engine", errors);
        if (engine.OverrideGenerationConfig is { } overrides && !IsJsonObject(overrides))
        {
            errors.Add(new(
                "spec.engine.overrideGenerationConfig", ValidationReason.Invalid,
                $"'{overrides}' must be a JSON object, such as {{\"temperature\":0.6}}"));
        }

        if (engine.Speculative is { } drafting)
        {
            EngineFieldValidator.Validate(drafting, "spec.engine.speculative", errors);
        }

        if (engine.MaxNumBatchedTokens < engine.MaxNumSeqs)
        {
            errors.Add(new("spec.engine.maxNumBatchedTokens", ValidationReason.Invalid,
                $"{engine.MaxNumBatchedTokens} is less than maxNumSeqs {engine.MaxNumSeqs}: every running sequence needs one token "
                + "per step"));
        }

        if (engine.EnableChunkedPrefill == false && engine.MaxNumBatchedTokens < engine.MaxModelLen)
        {
            errors.Add(new("spec.engine.maxNumBatchedTokens", ValidationReason.Invalid,
                $"{engine.MaxNumBatchedTokens} is less than maxModelLen {engine.MaxModelLen}: without chunked prefill a prompt has to fit "
                + "into one step; leave it out, and the budget becomes that length"));
        }

        if (engine is { NumSchedulerSteps: > 1, Speculative: not null })
        {
            errors.Add(new("spec.engine.numSchedulerSteps", ValidationReason.Invalid,
                $"{engine.NumSchedulerSteps} cannot be combined with speculative: tokens are drafted anew before each step"));
        }

        IReadOnlyList<string> arguments = engine.ExtraArgs ?? [];
        for (var i = 0; i < arguments.Count; i++)
        {
            if (WorkerFlags.GivenBy(arguments[i]) is { } flag)
            {
                errors.Add(new($"spec.engine.extraArgs[{i}]", ValidationReason.Forbidden, $"'{arguments[i]}' is set by {flag.SetBy}"));
            }
        }
    }

    private static void CheckTuning(ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        var tuning = spec.Tuning;
        CheckEnum(tuning.NumaBalancing, "spec.tuning.numaBalancing", errors);
        var setsChannels = false;
        switch (tuning.NcclMinNChannels)
        {
            case null:
            case JsonValue text when text.TryGetValue(out string? auto) && auto == ModelDeploymentDefaults.NcclAuto:
                break;
            case JsonValue number when number.TryGetValue(out int channels) && channels is >= 1 and <= MaxNcclChannels:
                setsChannels = true;
                if (channels > ChannelsWithFewRanks && spec.TensorParallelSize is { IsAuto: false, Degree: < RanksForManyChannels })
                {
                    errors.Add(new("spec.tuning.ncclMinNChannels", ValidationReason.Invalid,
                        $"{channels} is above {ChannelsWithFewRanks}, which RCCL ignores with fewer than {RanksForManyChannels} ranks; "
                        + $"tensorParallelSize is {spec.TensorParallelSize}"));
                }

                break;
            case { } other:
                errors.Add(
                    new("spec.tuning.ncclMinNChannels", ValidationReason.Invalid,
                        $"{other.ToJsonString()} must be Auto or an integer from 1 to {MaxNcclChannels}"));
                break;
        }

        if (tuning.Env is not null)
        {
            EnvironmentValidator.Validate(tuning.Env, "spec.tuning.env", errors);
        }

        if (setsChannels && EnvironmentValidator.IndexOf(tuning.Env, NcclVariable) is { } index)
        {
            errors.Add(
                new($"spec.tuning.env[{index}].name", ValidationReason.Forbidden,
                    $"{NcclVariable} is set by spec.tuning.ncclMinNChannels; leave one of them out"));
        }
    }

    private static void CheckEnum<T>(T value, string path, List<ValidationError> errors)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
        {
            errors.Add(
                new(path, ValidationReason.NotSupported,
                    $"the value is not known to this version of the operator; supported: {string.Join(", ", Enum.GetNames<T>())}"));
        }
    }

    [GeneratedRegex(@"^[a-z]([-a-z0-9]*[a-z0-9])?\z")]
    private static partial Regex ServiceName();

    private static bool IsJsonObject(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
