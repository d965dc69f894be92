namespace Cluster.Worker.Tokenization;

/// <summary>A half-open range [Start, End) of UTF-16 units in a string.</summary>
internal readonly record struct TextSpan(int Start, int End);
