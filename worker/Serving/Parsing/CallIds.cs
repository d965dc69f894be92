using System.Security.Cryptography;
using System.Text;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>What the ids of calls are made of that bring none.</summary>
/// <param name="Origin">A request's id, for whoever answers it to name calls alike; null draws.</param>
/// <param name="Choice">Which of the request's answers it is.</param>
internal sealed record CallIds(string? Origin = null, int Choice = 0)
{
    private const int Length = 16;

    public static CallIds Drawn { get; } = new();

    /// <summary>Random bytes, 16 of them.</summary>
    /// <param name="call">Position among the answer's calls.</param>
    public byte[] Of(int call) => Origin is null
        ? RandomNumberGenerator.GetBytes(Length)
        : SHA256.HashData(Encoding.UTF8.GetBytes($"{Origin} {Choice} {call}"))[..Length];
}
