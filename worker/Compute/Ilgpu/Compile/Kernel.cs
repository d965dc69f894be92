using System.Collections.Immutable;
using System.Reflection;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Compile;

/// <summary>A kernel: a static method whose first parameters are views of device memory and the others numbers. Made once for each method;
/// compiled by each launcher on first use.</summary>
internal sealed class Kernel
{
    private Kernel(MethodInfo method, bool isWide)
    {
        Method = method;
        IsWide = isWide;
        Parameters = [.. method.GetParameters().Select(parameter => KernelParameter.Of(parameter.ParameterType))];
        Name = NameOf(method);
    }

    public MethodInfo Method { get; }

    /// <summary>Class and method with their type arguments: <c>Linear.Multiply(BF16Weights, QuadInput)</c>.</summary>
    public string Name { get; }

    /// <summary>The name as a file's: what file systems and shells read as something else becomes a dash.</summary>
    public string FileName => string.Join('-', Name.Split(['(', ')', ',', ' '], StringSplitOptions.RemoveEmptyEntries));

    /// <summary>Whether a group has as many waves as the launcher gives (<see cref="Launch.IKernelLauncher.Waves"/>), or one.</summary>
    public bool IsWide { get; }

    public ImmutableArray<KernelParameter> Parameters { get; }

    /// <summary>A kernel of groups of one wave.</summary>
    public static Kernel Of(Delegate method) => new(method.Method, isWide: false);

    /// <summary>The same for a method found by its type arguments.</summary>
    public static Kernel OfWave(MethodInfo method) => new(method, isWide: false);

    /// <summary>A kernel of groups of several waves.</summary>
    public static Kernel OfWaves(Delegate method) => OfWaves(method.Method);

    /// <summary>The same for a method found by its type arguments.</summary>
    public static Kernel OfWaves(MethodInfo method) => new(method, isWide: true);

    public override string ToString() => Name;

    private static string NameOf(MethodInfo method)
    {
        var name = $"{method.DeclaringType!.Name}.{method.Name}";
        return method.IsGenericMethod
            ? $"{name}({string.Join(", ", method.GetGenericArguments().Select(NameOf))})"
            : name;
    }

    private static string NameOf(Type type) => type.IsGenericType
        ? $"{type.Name.Split('`')[0]}({string.Join(", ", type.GetGenericArguments().Select(NameOf))})"
        : type.Name;
}

/// <summary>What a kernel's parameter is.</summary>
/// <param name="ElementType">Of a view; null for a number.</param>
/// <param name="ElementBytes">Of a view; of a number, its size.</param>
internal readonly record struct KernelParameter(Type? ElementType, int ElementBytes)
{
    public static KernelParameter Of(Type type)
    {
        if (!type.IsGenericType || type.GetGenericTypeDefinition() != typeof(ArrayView<>))
        {
            return new KernelParameter(null, 4);
        }

        var element = type.GetGenericArguments()[0];
        return new KernelParameter(element, Interop.SizeOf(element));
    }
}
