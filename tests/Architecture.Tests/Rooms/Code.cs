using ArchUnitNET.Domain;
using ArchUnitNET.Loader;

namespace Cluster.Architecture.Tests.Rooms;

/// <summary>The types of worker, operator and common as ArchUnitNET sees them.</summary>
internal static class Code
{
    private static readonly ArchUnitNET.Domain.Architecture Whole = new ArchLoader()
        .LoadAssemblies(
            System.Reflection.Assembly.Load("cluster-worker"),
            System.Reflection.Assembly.Load("cluster-operator"),
            System.Reflection.Assembly.Load("cluster-common"))
        .Build();

    /// <summary>Types that somebody wrote: no closures, state machines or other work of the compiler.</summary>
    /// <param name="assembly">"Worker", "Operator" or "Common".</param>
    public static IEnumerable<IType> TypesOf(string assembly) => Whole.Types.Where(type => IsWritten(type) && AssemblyOf(type) == assembly);

    /// <summary>The classes among them.</summary>
    public static IEnumerable<Class> ClassesOf(string assembly) =>
        Whole.Classes.Where(type => IsWritten(type) && AssemblyOf(type) == assembly);

    /// <summary>Whether any class of the three assemblies derives from this one.</summary>
    public static bool IsDerivedFrom(Class type) => Bases.Value.Contains(type.FullName);

    /// <summary>What a type uses, with what the compiler made of its lambdas and iterators.</summary>
    public static IEnumerable<IType> UsesOf(IType type) => Uses.Value[type.FullName];

    /// <summary>The second part of the namespace of a type of ours: "Worker"; null for the types of others.</summary>
    public static string? AssemblyOf(IType type) => PartsOf(type) is ["Cluster", var assembly, ..] ? assembly : null;

    /// <summary>The third part: "Engine"; <see cref="Room.Program"/> where there is none.</summary>
    public static string RoomOf(IType type) => PartsOf(type) is [_, _, var room, ..] ? room : Room.Program;

    /// <summary>The name without the number of type parameters; nested types with those they are in.</summary>
    public static string NameOf(IType type)
    {
        var name = type.FullName[(type.Namespace.FullName.Length + 1)..];
        return string.Join('.', name.Split('+').Select(part => part.Split('`')[0]));
    }

    /// <summary>Generated message classes are not written by us.</summary>
    public static bool IsGenerated(IType type) =>
        PartsOf(type) is ["Cluster", "Worker", "Protos", ..] or ["Cluster", "Operator", "NodeAgent", "Plugin", "Protocol", ..];

    private static readonly Lazy<ILookup<string, IType>> Uses = new(() => Whole.Types
        .Where(type => AssemblyOf(type) is not null)
        .SelectMany(
            type => type.Dependencies.Where(dependency => dependency.Target is not GenericParameter)
                .Select(dependency => (User: WrittenNameOf(type), dependency.Target)))
        .DistinctBy(use => (use.User, use.Target.FullName))
        .ToLookup(use => use.User, use => use.Target));

    private static readonly Lazy<HashSet<string>> Bases = new(() =>
        [.. Whole.Classes.Where(type => type.BaseClass is not null).Select(type => type.BaseClass!.FullName)]);

    private static bool IsWritten(IType type) => !type.FullName.Contains('<') && !type.IsCompilerGenerated;

    /// <summary>Closures and state machines are nested in the type that they were written in, and have a '&lt;' in their names.</summary>
    private static string WrittenNameOf(IType type)
    {
        var made = type.FullName.IndexOf('<', StringComparison.Ordinal);
        return made < 0 ? type.FullName : type.FullName[..made].TrimEnd('+', '/');
    }

    /// <summary>Type parameters have no namespace.</summary>
    private static string[] PartsOf(IType type) => type.Namespace?.FullName.Split('.') ?? [];
}
