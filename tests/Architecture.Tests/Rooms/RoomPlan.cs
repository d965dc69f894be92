namespace Cluster.Architecture.Tests.Rooms;

/// <summary>
/// Which room (top-level folder, hence namespace) of an assembly may know which. Each list stands from the bottom up and names only rooms
/// above its own line, so the plan has no cycles by construction; <see cref="RoomTests"/> checks that too.
/// </summary>
internal static class RoomPlan
{
    /// <summary>Serving → Engine → Models → Compute → Draws: whoever is below never knows who is above.</summary>
    public static readonly IReadOnlyList<Room> Worker =
    [
        new("Worker", "Draws", []),
        new("Worker", "Compute", ["Draws"]),
        new("Worker", "Tokenization", []),
        new("Worker", "Protos", []),
        new("Worker", "Models", ["Draws", "Compute", "Tokenization"]),
        new("Worker", "Engine", ["Draws", "Models", "Tokenization"]),
        new("Worker", "Serving", ["Engine", "Tokenization", "Protos"]),
        new("Worker", "Benchmarking", ["Compute", "Models", "Engine", "Tokenization"]),
        new("Worker", "Startup", ["Compute", "Models", "Engine", "Tokenization", "Serving"]),
        new("Worker", "Commands", ["Compute", "Models", "Engine", "Tokenization", "Serving", "Benchmarking", "Startup"]),
        new("Worker", Room.Program, ["Startup", "Commands"]),

        // Options are read as a command line is: one name and one range for each.
        new("Worker", "Offline", ["Engine", "Models", "Tokenization", "Serving", "Startup", "Commands"]),
    ];

    /// <summary>Reconciling → Controller → Kubernetes → Api.</summary>
    public static readonly IReadOnlyList<Room> Operator =
    [
        new("Operator", "Yaml", []),
        new("Operator", "Manifests", ["Yaml"]),
        new("Operator", "Api", ["Yaml", "Manifests"]),
        new("Operator", "Kubernetes", ["Yaml", "Api"]),
        new("Operator", "Controller", ["Kubernetes"]),
        new("Operator", "NodeAgent", ["Yaml", "Manifests", "Api", "Kubernetes", "Controller"]),
        new("Operator", "Reconciling", ["Yaml", "Manifests", "Api", "Kubernetes", "Controller", "NodeAgent"]),
        new("Operator", "Gateway", ["Yaml", "Manifests", "Api", "Kubernetes", "Controller", "NodeAgent", "Reconciling"]),
        new("Operator", "Plugin", ["Yaml", "Manifests", "Api", "Kubernetes", "Controller", "NodeAgent", "Reconciling"]),
        new("Operator", "Local", ["Yaml", "Manifests", "Api", "Kubernetes", "Controller", "NodeAgent", "Reconciling", "Gateway"]),
        new(
            "Operator", "Commands",
            ["Yaml", "Manifests", "Api", "Kubernetes", "Controller", "NodeAgent", "Reconciling", "Gateway", "Plugin", "Local"]),

        // The program says which exceptions' messages tell users all they need.
        new("Operator", Room.Program, ["Kubernetes", "Commands"]),
    ];

    public static IReadOnlyList<Room> All { get; } = [.. Worker, .. Operator];
}
