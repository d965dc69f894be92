namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>Names and what they stand for: types while checking, values while evaluating. Inner names hide outer ones.</summary>
internal sealed record CelScope<T>(string Name, T Value, CelScope<T>? Outer = null)
{
    public static bool TryFind(CelScope<T>? scope, string name, out T? value)
    {
        for (; scope is not null; scope = scope.Outer)
        {
            if (scope.Name == name)
            {
                value = scope.Value;
                return true;
            }
        }
        value = default;
        return false;
    }
}
