using System.Buffers.Binary;
using System.Text;

namespace Cluster.Worker.Tests.Serving.Robustness;

/// <summary>Writes HTTP/2 frames as they are told to, right or wrong (RFC 9113).</summary>
internal static class Http2Frames
{
    public const byte Data = 0, Headers = 1, ResetStream = 3, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8, Continuation = 9;
    public const byte EndStream = 1, EndHeaders = 4;

    public static byte[] Preface => [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, 0, 0, [])];

    public static byte[] Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[9 + payload.Length];
        frame[0] = (byte)(payload.Length >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(1), (ushort)payload.Length);
        frame[3] = type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    /// <summary>The headers of a gRPC call, as HPACK literals that no table remembers (RFC 7541 §6.2.2).</summary>
    public static byte[] GrpcHeaders(string path) =>
    [
        0x83, 0x86, 0x04, .. Text(path), 0x01, .. Text("localhost"),
        0x0f, 0x10, .. Text("application/grpc"), 0x00, .. Text("te"), .. Text("trailers"),
    ];

    /// <summary>The error code of the first GOAWAY among these frames; null without one.</summary>
    public static int? ErrorOf(ReadOnlySpan<byte> frames)
    {
        while (frames.Length >= 9)
        {
            var length = (frames[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(frames[1..]);
            if (frames[3] == GoAway && frames.Length >= 17)
            {
                return BinaryPrimitives.ReadInt32BigEndian(frames[13..]);
            }

            frames = frames[Math.Min(frames.Length, 9 + length)..];
        }

        return null;
    }

    private static byte[] Text(string text) => [checked((byte)text.Length), .. Encoding.ASCII.GetBytes(text)];
}
