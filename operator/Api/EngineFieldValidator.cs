using System.Globalization;
using System.Text.Json;
using Cluster.Common;

namespace Cluster.Operator.Api;

/// <summary>Holds fields against the words and ranges of the worker's flags (<see cref="WorkerFlags"/>): a value that the worker would
/// refuse at start must not become a pod. Repeats the CRD's enums and ranges, which a schema of another version may not have. Part of
/// <see cref="ModelDeploymentValidator"/>.</summary>
internal static class EngineFieldValidator
{
    /// <param name="spec">A part of the spec; properties that no flag is made from are passed over.</param>
    /// <param name="path">Where it stands.</param>
    public static void Validate<T>(T spec, string path, List<ValidationError> errors)
    {
        foreach (var (property, flag) in FlagFields<T>.All)
        {
            if (property.GetValue(spec) is not { } value)
            {
                continue;
            }

            var field = $"{path}.{JsonNamingPolicy.CamelCase.ConvertName(property.Name)}";
            if (flag.Value is FlagValue.Word && !flag.Words.Contains((string)value))
            {
                errors.Add(new(field, ValidationReason.NotSupported, $"'{value}' must be {flag.Expected}"));
            }
            else if (flag.Value is FlagValue.Integer or FlagValue.Number
                && !flag.IsInRange(Convert.ToDouble(value, CultureInfo.InvariantCulture)))
            {
                errors.Add(new(field, ValidationReason.Invalid, FormattableString.Invariant($"{value} must be {flag.Expected}")));
            }
        }
    }
}
