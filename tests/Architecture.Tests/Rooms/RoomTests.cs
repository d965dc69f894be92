namespace Cluster.Architecture.Tests.Rooms;

/// <summary>Dependencies point down only.</summary>
public sealed class RoomTests
{
    public static TheoryData<string, string> Rooms => [.. RoomPlan.All.Select(room => (room.Assembly, room.Name))];

    public static TheoryData<string> Assemblies => ["Worker", "Operator"];

    [Theory, MemberData(nameof(Rooms))]
    public void A_room_knows_only_the_rooms_below_it(string assembly, string name)
    {
        var room = RoomPlan.All.Single(room => room.Assembly == assembly && room.Name == name);

        var wrong = Code.TypesOf(assembly)
            .Where(type => Code.RoomOf(type) == name)
            .SelectMany(type => Code.UsesOf(type)
                .Where(use => Code.AssemblyOf(use) == assembly && Code.RoomOf(use) != name && !room.MayKnow.Contains(Code.RoomOf(use)))
                .Select(use => $"{name}.{Code.NameOf(type)} → {Code.RoomOf(use)}.{Code.NameOf(use)}"));

        Known.Only([], wrong);
    }

    [Theory, MemberData(nameof(Assemblies))]
    public void Every_type_is_in_a_room_of_the_plan(string assembly)
    {
        var rooms = RoomPlan.All.Where(room => room.Assembly == assembly).Select(room => room.Name);

        Assert.Empty(Code.TypesOf(assembly).Select(Code.RoomOf).Distinct().Except(rooms));
    }

    [Theory, MemberData(nameof(Rooms))]
    public void The_plan_lets_a_room_know_only_rooms_further_down(string assembly, string name)
    {
        var rooms = RoomPlan.All.Where(room => room.Assembly == assembly).ToList();
        var below = rooms.TakeWhile(room => room.Name != name).Select(room => room.Name);

        Assert.Subset(below.ToHashSet(), rooms.Single(room => room.Name == name).MayKnow.ToHashSet());
    }

    /// <summary>Operator and worker are two programs; what they must say alike is in common, which knows neither.</summary>
    [Theory]
    [InlineData("Worker", "Operator")]
    [InlineData("Operator", "Worker")]
    [InlineData("Common", "Worker")]
    [InlineData("Common", "Operator")]
    public void Assemblies_do_not_know_each_other(string assembly, string other) =>
        Assert.DoesNotContain(Code.TypesOf(assembly).SelectMany(Code.UsesOf), use => Code.AssemblyOf(use) == other);

    [Theory]
    [InlineData("Compute")]
    [InlineData("Models")]
    [InlineData("Tokenization")]
    [InlineData("Engine")]
    public void Below_serving_nobody_sees_HTTP(string room)
    {
        var wrong = Code.TypesOf("Worker").Where(type => Code.RoomOf(type) == room && Code.UsesOf(type).Any(IsAspNet));

        Known.Only([], wrong.Select(type => $"{room}.{Code.NameOf(type)}"));
    }

    [Fact]
    public void Serving_is_seen_to_use_HTTP() =>
        Assert.Contains(Code.TypesOf("Worker"), type => Code.RoomOf(type) == "Serving" && Code.UsesOf(type).Any(IsAspNet));

    private static bool IsAspNet(ArchUnitNET.Domain.IType type) =>
        type.FullName.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal);
}
