namespace Cluster.Operator.Api;

/// <summary>Why a field cannot be accepted, in the words of a Kubernetes Status cause.</summary>
internal enum ValidationReason
{
    Required,
    Invalid,
    NotSupported,
    Forbidden,
    Duplicate,
}

/// <summary>One thing wrong with a deployment.</summary>
/// <param name="Path">Such as <c>spec.tuning.env[2].name</c>.</param>
/// <param name="Message">Names the value and what would be right; reads well after the path and a colon.</param>
internal sealed record ValidationError(string Path, ValidationReason Reason, string Message)
{
    public override string ToString() => $"{Path}: {Message}";
}
