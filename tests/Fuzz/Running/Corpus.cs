using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Cluster.Fuzz.Running;

/// <summary>The inputs that others are made from: seeds, inputs that once failed, and what did something new.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed class Corpus
{
    private const int MostInputs = 4000;
    private const int MostBytes = 256 << 10;

    // An input that did something new is worth more than a seed: what is behind it has not been seen.
    private const int SeedOneOf = 4;
    private const int SpliceOneOf = 12;

    private readonly List<byte[]> _inputs = [];
    private readonly string? _folder;
    private readonly int _given;

    /// <param name="folder">Where kept inputs are read from and written to; null for nowhere.</param>
    public Corpus(IEnumerable<byte[]> seeds, string? folder)
    {
        _folder = folder;
        _inputs.AddRange(seeds);
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);
            _inputs.AddRange(Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Take(MostInputs).Select(File.ReadAllBytes));
        }

        _given = _inputs.Count;
    }

    public IReadOnlyList<byte[]> Inputs => _inputs;

    /// <summary>Inputs that this run has added.</summary>
    public int Kept => _inputs.Count - _given;

    public byte[] Next(IMutator mutator, Random random)
    {
        var input = random.Next(SeedOneOf) == 0 ? _inputs[random.Next(_given)] : Any(random);
        if (random.Next(SpliceOneOf) == 0)
        {
            var other = Any(random);
            input = [.. input.AsSpan(0, random.Next(input.Length + 1)), .. other.AsSpan(random.Next(other.Length + 1))];
        }

        return mutator.Mutate(input, random);
    }

    public void Keep(byte[] input)
    {
        if (_inputs.Count >= MostInputs || input.Length > MostBytes)
        {
            return;
        }

        _inputs.Add(input);
        if (_folder is not null)
        {
            File.WriteAllBytes(Path.Combine(_folder, NameOf(input)), input);
        }
    }

    /// <summary>The same bytes have the same name.</summary>
    public static string NameOf(byte[] input) => Convert.ToHexStringLower(SHA256.HashData(input))[..12];

    private byte[] Any(Random random) => _inputs[random.Next(_inputs.Count)];
}
