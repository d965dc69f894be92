using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Manifests;

/// <summary>How a kind is named in one version.</summary>
internal readonly record struct KindName(string Group, string Version, string Kind)
{
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>The message of a 422: everything that is wrong with an object.</summary>
    public string InvalidText(string name, IReadOnlyList<FieldError> errors)
    {
        var text = errors.Count == 1 ? errors[0].ToString() : $"[{string.Join(", ", errors)}]";
        return $"{(Group.Length == 0 ? Kind : $"{Kind}.{Group}")} \"{name}\" is invalid: {text}";
    }
}
