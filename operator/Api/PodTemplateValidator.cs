using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Api;

/// <summary>Checks the free-form pod template for what the operator has to decide itself. Called by
/// <see cref="ModelDeploymentValidator"/>.</summary>
internal static class PodTemplateValidator
{
    private const string Path = "spec.podTemplate";
    private const string WorkerContainer = "worker";

    /// <summary>What Kubernetes takes, less some for the operator's.</summary>
    private const int MaxAnnotationBytes = 240 * 1024;

    public static void Validate(JsonObject template, ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        OnlyFields(template, ["metadata", "spec"], Path, errors);
        if (Section<JsonObject>(template, "metadata", Path, errors) is { } metadata)
        {
            CheckMetadata(metadata, errors);
        }

        if (Section<JsonObject>(template, "spec", Path, errors) is { } pod)
        {
            CheckPod(pod, spec, errors);
        }
    }

    private static void CheckMetadata(JsonObject metadata, List<ValidationError> errors)
    {
        const string At = Path + ".metadata";
        OnlyFields(metadata, ["labels", "annotations"], At, errors);
        foreach (var field in (string[])["labels", "annotations"])
        {
            foreach ((var key, var value) in Section<JsonObject>(metadata, field, At, errors) ?? [])
            {
                if (key.StartsWith(ApiNames.Group + "/", StringComparison.Ordinal))
                {
                    errors.Add(
                        new($"{At}.{field}[{key}]", ValidationReason.Forbidden, $"the prefix {ApiNames.Group}/ is the operator's own"));
                }

                if (value is not JsonValue text || !text.TryGetValue(out string? written))
                {
                    errors.Add(
                        new($"{At}.{field}[{key}]", ValidationReason.Invalid,
                            $"{value?.ToJsonString() ?? "null"} must be a string; put it in quotes"));
                }
                else if (field == "labels")
                {
                    CheckLabel($"{At}.{field}", key, written, errors);
                }
                else if (MetadataSyntax.KeyProblem(key.ToLowerInvariant()) is { } problem)
                {
                    errors.Add(new($"{At}.{field}[{key}]", ValidationReason.Invalid, problem));
                }
            }
        }

        if ((metadata["annotations"] as JsonObject ?? []).Sum(item => item.Key.Length + (long)(item.Value?.ToString().Length ?? 0))
            is > MaxAnnotationBytes and var size)
        {
            errors.Add(new(
                $"{At}.annotations", ValidationReason.Invalid,
                $"have {size} characters together; at most {MaxAnnotationBytes} are possible, the operator's own included"));
        }
    }

    /// <summary>The API server would refuse every pod that has it, again and again.</summary>
    private static void CheckLabel(string at, string key, string value, List<ValidationError> errors)
    {
        if ((MetadataSyntax.KeyProblem(key) ?? MetadataSyntax.ValueProblem(value)) is { } problem)
        {
            errors.Add(new($"{at}[{key}]", ValidationReason.Invalid, $"'{value}': {problem}"));
        }
    }

    private static void CheckPod(JsonObject pod, ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        const string At = Path + ".spec";
        Forbid(pod, "nodeName", "the operator chooses the node; narrow it with spec.gpu.nodeSelector", At, errors);
        Forbid(pod, "terminationGracePeriodSeconds", "set by spec.drainSeconds", At, errors);
        foreach ((var key, var value) in Section<JsonObject>(pod, "nodeSelector", At, errors) ?? [])
        {
            CheckLabel($"{At}.nodeSelector", key, value?.ToString() ?? "", errors);
            if (spec.Gpu.NodeSelector?.GetValueOrDefault(key) is { } other && value?.ToString() != other)
            {
                errors.Add(
                    new($"{At}.nodeSelector[{key}]", ValidationReason.Invalid,
                        $"'{value}' contradicts spec.gpu.nodeSelector, which asks for '{other}'"));
            }
        }

        CheckContainers(pod, "initContainers", spec, errors);
        if (CheckContainers(pod, "containers", spec, errors) is { } names && !names.Contains(WorkerContainer))
        {
            errors.Add(new($"{At}.containers", ValidationReason.Required,
                $"none is called '{WorkerContainer}'; the worker's container has that name, others run beside it (found: "
                + $"{string.Join(", ", names)})"));
        }
    }

    /// <returns>The names found; null when the list is absent or no list.</returns>
    private static HashSet<string>? CheckContainers(JsonObject pod, string field, ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        if (Section<JsonArray>(pod, field, Path + ".spec", errors) is not { } containers)
        {
            return null;
        }

        HashSet<string> names = new(StringComparer.Ordinal);
        for (var i = 0; i < containers.Count; i++)
        {
            var at = $"{Path}.spec.{field}[{i}]";
            if (containers[i] is not JsonObject container
                || container["name"] is not JsonValue value
                || !value.TryGetValue(out string? name)
                || name.Length == 0)
            {
                errors.Add(new($"{at}.name", ValidationReason.Required, "a container needs a name"));
                continue;
            }

            if (!names.Add(name))
            {
                errors.Add(new($"{at}.name", ValidationReason.Duplicate, $"two containers are called '{name}'"));
            }

            CheckContainer(container, at, field == "containers" && name == WorkerContainer, spec, errors);
        }

        return names;
    }

    private static void CheckContainer(
        JsonObject container, string at, bool isWorker, ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        if (Section<JsonArray>(container, "env", at, errors) is { } environment)
        {
            EnvironmentValidator.Validate(environment, $"{at}.env", errors);
            if (isWorker)
            {
                CheckAgainstTuning(environment, at, spec.Tuning, errors);
            }
        }

        if (isWorker)
        {
            Forbid(container, "args", "made from spec.engine; further flags go to spec.engine.extraArgs", at, errors);
        }

        var resources = Section<JsonObject>(container, "resources", at, errors);
        foreach (var kind in (string[])["limits", "requests"])
        {
            foreach (var name in (resources?[kind] as JsonObject ?? []).Select(amount => amount.Key)
                .Where(name => name == spec.Gpu.ResourceName || name.StartsWith(GpuResource.Prefix, StringComparison.Ordinal)))
            {
                errors.Add(new($"{at}.resources.{kind}[{name}]", ValidationReason.Forbidden,
                    "GPUs are booked by spec.tensorParallelSize and spec.gpu.allocation"));
            }
        }
    }

    /// <summary>Two places for one variable: whichever won, the other would be ignored without a word.</summary>
    private static void CheckAgainstTuning(JsonArray environment, string at, TuningSpec tuning, List<ValidationError> errors)
    {
        var names = (tuning.Env ?? [])
            .Select(item => (item as JsonObject)?["name"] is JsonValue name && name.TryGetValue(out string? text) ? text : null);
        foreach (var name in names)
        {
            if (name is not null && EnvironmentValidator.IndexOf(environment, name) is { } index)
            {
                errors.Add(
                    new($"{at}.env[{index}].name", ValidationReason.Duplicate, $"{name} is set by spec.tuning.env; leave one of them out"));
            }
        }

        if (tuning.NcclMinNChannels?.GetValueKind() == JsonValueKind.Number
            && EnvironmentValidator.IndexOf(environment, ModelDeploymentValidator.NcclVariable) is { } nccl)
        {
            errors.Add(
                new($"{at}.env[{nccl}].name", ValidationReason.Forbidden,
                    $"{ModelDeploymentValidator.NcclVariable} is set by spec.tuning.ncclMinNChannels; leave one of them out"));
        }
    }

    private static void Forbid(JsonObject from, string field, string reason, string path, List<ValidationError> errors)
    {
        if (from.ContainsKey(field))
        {
            errors.Add(new($"{path}.{field}", ValidationReason.Forbidden, reason));
        }
    }

    private static void OnlyFields(JsonObject from, string[] known, string path, List<ValidationError> errors)
        => errors.AddRange(from.Select(item => item.Key).Except(known).Select(field =>
            new ValidationError(
                $"{path}.{field}", ValidationReason.NotSupported, $"unknown field; supported: {string.Join(", ", known)}")));

    private static T? Section<T>(JsonObject from, string field, string path, List<ValidationError> errors)
        where T : JsonNode
    {
        if (from[field] is not { } node)
        {
            return null;
        }

        if (node is not T section)
        {
            errors.Add(
                new($"{path}.{field}", ValidationReason.Invalid,
                    $"must be {(typeof(T) == typeof(JsonArray) ? "a list" : "a mapping")}, found {node.ToJsonString()}"));
            return null;
        }

        return section;
    }
}
