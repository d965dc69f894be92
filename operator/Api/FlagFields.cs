using System.Reflection;
using Cluster.Common;

namespace Cluster.Operator.Api;

/// <summary>The properties of a part of the spec that bear <see cref="FromFlagAttribute"/>, with their flags, in the order of the
/// type. Read once: an attribute is made anew each time it is asked for, and every deployment is validated at every look at it.</summary>
internal static class FlagFields<T>
{
    public static IReadOnlyList<(PropertyInfo Property, WorkerFlag Flag)> All { get; } =
    [
        .. from property in typeof(T).GetProperties()
           let field = property.GetCustomAttribute<FromFlagAttribute>()
           where field is not null
           select (property, field.Flag),
    ];
}
