using System.Text;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>Breaks a JSON text the way networks and enemies do: bytes flipped, cut, repeated, and tokens exchanged for nasty
/// ones.</summary>
internal static class Mutation
{
    private static readonly byte[][] NastyTokens = [.. new[]
    {
        "null", "-1", "1e999", "99999999999999999999", "\"../../x\"", "\"\\ud800\"", "\"\\u0000\"", "[[[[[[[[", "{\"a\":", "\"", "}", "]",
        ",", "\"sha\"", "\"siblings\"", "\"rfilename\"", "\"/etc/passwd\"", "true", "{}", "[]",
    }.Select(Encoding.UTF8.GetBytes)];

    public static byte[] Of(byte[] original, Random random)
    {
        var bytes = original.ToList();
        for (var edits = random.Next(1, 4); edits > 0 && bytes.Count > 0; edits--)
        {
            var at = random.Next(bytes.Count);
            var length = Math.Min(random.Next(1, 40), bytes.Count - at);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes.RemoveRange(at, length);
                    break;
                case 2:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 3:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    ReplaceValue(bytes, at, NastyTokens[random.Next(NastyTokens.Length)]);
                    break;
            }
        }

        return [.. bytes];
    }

    /// <summary>Exchanges what lies between two separators, so that the text often stays JSON.</summary>
    private static void ReplaceValue(List<byte> bytes, int at, byte[] token)
    {
        var start = bytes.FindLastIndex(at, one => one is (byte)':' or (byte)',' or (byte)'[') + 1;
        var end = bytes.FindIndex(at, one => one is (byte)',' or (byte)'}' or (byte)']');
        if (end > start)
        {
            bytes.RemoveRange(start, end - start);
        }

        bytes.InsertRange(start, token);
    }
}
