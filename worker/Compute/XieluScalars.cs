namespace Cluster.Worker.Compute;

/// <summary>What <see cref="Backend.Xielu"/> is made of, in each layer.</summary>
/// <param name="AlphaPositive">Curvature where x is positive.</param>
/// <param name="AlphaNegative">Curvature where it is not.</param>
/// <param name="Beta">Slope at 0.</param>
/// <param name="Epsilon">Largest exponent; just below 0.</param>
internal readonly record struct XieluScalars(float AlphaPositive, float AlphaNegative, float Beta, float Epsilon);
