using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary>The columns many kinds share.</summary>
internal static class StandardColumns
{
    public static TableColumn Name { get; } = new(
        "Name", "string", "name", "Name must be unique within a namespace.", 0, (value, _) => value.Name());

    public static TableColumn Age { get; } = new(
        "Age", "string", "", "Time since creation.", 0, (value, now) => Tables.Age.Since(value, now, "metadata", "creationTimestamp"));

    public static TableColumn[] NameAndAge { get; } = [Name, Age];

    public static TableColumn[] NameAndCreation { get; } = [
        Name, new("Created At", "date", "", "When the object was made.", 0, (value, _) => value.Text("metadata", "creationTimestamp"))];
}
