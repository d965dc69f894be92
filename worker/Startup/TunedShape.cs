using Cluster.Worker.Compute.Tuning;

namespace Cluster.Worker.Startup;

/// <summary>A multiplication was tuned.</summary>
/// <param name="Done">How many are.</param>
/// <param name="Total">How many will be.</param>
/// <param name="UsualMilliseconds">What the default takes.</param>
internal readonly record struct TunedShape(int Done, int Total, GemmShape Shape, TunedVariant Best, double UsualMilliseconds);
