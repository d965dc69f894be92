using ArchUnitNET.Domain;

namespace Cluster.Architecture.Tests.Rooms;

/// <summary>What types are called and who may see them.</summary>
public sealed class NameTests
{
    /// <summary>What the worker shows as a library; its tests list every type.</summary>
    private const string PublicRoom = "Offline";

    public static TheoryData<string> Assemblies => ["Worker", "Operator", "Common"];

    [Theory, MemberData(nameof(Assemblies))]
    public void Types_are_internal_and_classes_sealed_unless_somebody_derives_from_them(string assembly)
    {
        var visible = Code.TypesOf(assembly)
            .Where(type => type.Visibility == Visibility.Public && !type.IsNested && Code.RoomOf(type) != PublicRoom);
        var open = Code.ClassesOf(assembly).Where(type => type.IsSealed != true && type.IsAbstract != true && !Code.IsDerivedFrom(type));
        var wrong = visible.Concat(open).Where(type => !Code.IsGenerated(type)).Select(Code.NameOf);

        Known.Only([], wrong);
    }

    [Theory, MemberData(nameof(Assemblies))]
    public void No_two_types_of_an_assembly_share_a_name(string assembly)
    {
        var shared = Code.TypesOf(assembly)
            .Where(type => !type.IsNested && !Code.IsGenerated(type))
            .GroupBy(type => type.Name.Split('`')[0])
            .Where(types => types.Select(type => type.Namespace.FullName).Distinct().Count() > 1)
            .Select(types => types.Key);

        Known.Only([], shared);
    }
}
