using System.Text.Json.Nodes;

namespace Cluster.Operator.Api;

/// <summary>Checks lists of EnvVar objects: <c>spec.tuning.env</c> and those of the pod template's containers.</summary>
internal static class EnvironmentValidator
{
    private const string Chosen = "decides which GPUs a pod sees, and the operator chooses those; use spec.gpu and spec.tensorParallelSize";

    private static readonly HashSet<string> Reserved = new(StringComparer.Ordinal)
    {
        "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "AMD_VISIBLE_DEVICES",
        "NVIDIA_VISIBLE_DEVICES",
    };

    private const string OfGateway =
        "lets whoever knows it pass for the gateway; the operator sets it when it has a master key (--gateway-key-file)";

    public static void Validate(JsonArray environment, string path, List<ValidationError> errors)
    {
        HashSet<string> seen = new(StringComparer.Ordinal);
        for (var i = 0; i < environment.Count; i++)
        {
            var at = $"{path}[{i}]";
            if (environment[i] is not JsonObject variable || NameOf(variable) is not { Length: > 0 } name)
            {
                errors.Add(new($"{at}.name", ValidationReason.Required, "a variable needs a name"));
                continue;
            }

            if (Reserved.Contains(name))
            {
                errors.Add(new($"{at}.name", ValidationReason.Forbidden, $"{name} {Chosen}"));
            }

            if (name == GatewayKey.Variable)
            {
                errors.Add(new($"{at}.name", ValidationReason.Forbidden, $"{name} {OfGateway}"));
            }

            if (!seen.Add(name))
            {
                errors.Add(new($"{at}.name", ValidationReason.Duplicate, $"{name} is set twice"));
            }

            if (variable["value"] is { } value && !(value is JsonValue text && text.TryGetValue(out string? _)))
            {
                errors.Add(new($"{at}.value", ValidationReason.Invalid, $"{value.ToJsonString()} must be a string; put it in quotes"));
            }

            if (variable["value"] is not null && variable["valueFrom"] is not null)
            {
                errors.Add(new(at, ValidationReason.Invalid, $"{name} has both value and valueFrom"));
            }
        }
    }

    /// <summary>Where a variable is set, or null.</summary>
    public static int? IndexOf(JsonArray? environment, string name)
    {
        for (var i = 0; i < environment?.Count; i++)
        {
            if (environment[i] is JsonObject variable && NameOf(variable) == name)
            {
                return i;
            }
        }

        return null;
    }

    private static string? NameOf(JsonObject variable) =>
        variable["name"] is JsonValue value && value.TryGetValue(out string? name) ? name : null;
}
