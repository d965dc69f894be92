using System.Buffers.Binary;
using System.Text;

namespace Cluster.Operator.Gateway.Routing;

/// <summary>The beginnings of a prompt, each as one number: block i's hash covers everything up to its end, so equal hashes mean equal
/// beginnings. The worker's cache has the same form over blocks of 16 tokens; 64 bytes are about as long.
/// <code>
/// salt ─► h0 = hash(salt, bytes 0…63) ─► h1 = hash(h0, bytes 64…127) ─► …      what does not fill a block is left out
/// </code>
/// Every gateway computes the same numbers.</summary>
internal static class PromptBlocks
{
    public const int BlockBytes = 64;

    /// <summary>256 KiB of prompt: beginnings that are alike so far are alike.</summary>
    public const int MostBlocks = 4096;

    private const ulong Multiplier = 0x9E3779B97F4A7C15;
    private const ulong Increment = 0xD1B54A32D192ED03;

    /// <param name="salt">Under which cached prefixes are shared; different ones share nothing.</param>
    public static ulong[] Hash(string salt, ReadOnlySpan<byte> prompt)
    {
        var hash = Increment;
        foreach (var value in Encoding.UTF8.GetBytes(salt))
        {
            hash = Mix(hash, value);
        }

        var blocks = new ulong[Math.Min(prompt.Length / BlockBytes, MostBlocks)];
        for (var i = 0; i < blocks.Length; i++)
        {
            var block = prompt.Slice(i * BlockBytes, BlockBytes);
            for (var at = 0; at < BlockBytes; at += sizeof(ulong))
            {
                hash = Mix(hash, BinaryPrimitives.ReadUInt64LittleEndian(block[at..]));
            }

            blocks[i] = hash;
        }

        return blocks;
    }

    /// <summary>Both halves of a 128-bit product, folded: each bit of either input reaches every bit of the result.</summary>
    public static ulong Mix(ulong hash, ulong value)
    {
        var high = Math.BigMul(hash ^ Multiplier, value ^ Increment ^ ulong.RotateLeft(hash, 29), out var low);
        return high ^ low ^ (value * Multiplier);
    }
}
