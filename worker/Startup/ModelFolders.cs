namespace Cluster.Worker.Startup;

/// <summary>Where the checkpoints are. Made by <see cref="ModelFolder"/>.</summary>
/// <param name="Model">Folder of the model, or the name of a synthetic one.</param>
/// <param name="Draft">Folder of the draft model; null if there is none.</param>
internal sealed record ModelFolders(string Model, string? Draft = null);
