using System.Buffers.Binary;
using System.Text;
using Cluster.Operator.Local.ApiServer.Routing;
using Cluster.Operator.Local.ApiServer.Spdy;
using ICSharpCode.SharpZipLib.Zip.Compression;

namespace Cluster.Fuzz.Targets.Operator;

/// <summary>What a client of <c>kubectl port-forward</c> sends: frames of SPDY/3.1, with header blocks of one compressed stream. Nothing
/// listens behind the ports.</summary>
internal sealed class SpdyTarget(string name) : IFuzzTarget
{
    private const uint Open = 0x8003_0001;
    private const uint Reset = 0x8003_0003;
    private const uint Ping = 0x8003_0006;
    private const uint GoAway = 0x8003_0007;
    private const uint Headers = 0x8003_0008;
    private const uint Window = 0x8003_0009;

    public string Name => name;

    public IReadOnlyList<byte[]> Seeds { get; } = [Forward(), Talk()];

    public IMutator Mutator { get; } = new ByteMutator();

    /// <exception cref="FuzzFailure">The server sends something that is no frame.</exception>
    public Verdict Run(byte[] input)
    {
        using var transport = new Wire(input);
        using var connection = new SpdyConnection(transport);
        try
        {
            new PortForwarding(connection, "p", (_, _) => throw new IOException("nothing listens there"))
                .RunAsync(CancellationToken.None).GetAwaiter().GetResult();
            return RequireFrames(transport.Sent, input);
        }
        catch (SpdyException error)
        {
            RequireFrames(transport.Sent, input);
            return Verdict.Refused(error.Message);
        }
    }

    public void Dispose()
    {
    }

    private static Verdict RequireFrames(byte[] sent, byte[] input)
    {
        for (var at = 0; at < sent.Length;)
        {
            var length = at + 8 <= sent.Length ? BinaryPrimitives.ReadInt32BigEndian(sent.AsSpan(at + 4)) & 0xffffff : int.MaxValue - at;
            if (sent.Length - at - 8 < length)
            {
                throw new FuzzFailure("what the server sends is whole frames", $"{Convert.ToHexString(sent)} for {input.Length} bytes");
            }

            at += 8 + length;
        }

        return Verdict.Accepted;
    }

    private static byte[] Forward()
    {
        var compressed = new Compression();
        return [
            .. Frame(Open, 0, [.. Word(1), .. Word(0), 0, 0, .. compressed.Block("streamtype", "error", "port", "80", "requestid", "0")]),
            .. Frame(1, 1, []),
            .. Frame(Open, 0, [.. Word(3), .. Word(0), 0, 0, .. compressed.Block("streamtype", "data", "port", "80", "requestid", "0")]),
            .. Frame(3, 0, "GET / HTTP/1.0\r\n\r\n"u8.ToArray()), .. Frame(Ping, 0, Word(1)), .. Frame(3, 1, []),
            .. Frame(GoAway, 0, [.. Word(0), .. Word(0)])];
    }

    private static byte[] Talk()
    {
        var compressed = new Compression();
        return [
            .. Frame(Open, 1, [.. Word(1), .. Word(0), 0, 0, .. compressed.Block("streamtype", "data", "port", "0")]),
            .. Frame(Headers, 0, [.. Word(1), .. compressed.Block("accept", "text/plain")]),
            .. Frame(Window, 0, [.. Word(1), .. Word(65536)]), .. Frame(Reset, 0, [.. Word(1), .. Word(5)]), .. Frame(1, 0, [1, 2, 3]),
            .. Frame(Open, 0, [.. Word(3), .. Word(0), 0, 0, .. compressed.Block("streamtype", "error", "port", "65535")]),
            .. Frame(Open, 0, [.. Word(5), .. Word(0), 0, 0, .. compressed.Block("streamtype", "data", "port", "65535")])];
    }

    private static byte[] Word(int number) => [(byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number];

    private static byte[] Frame(uint first, byte flags, byte[] payload) =>
        [.. Word((int)first), .. Word(payload.Length | (flags << 24)), .. payload];

    private sealed class Compression
    {
        private readonly Deflater _deflater = new();

        public Compression() => _deflater.SetDictionary(SpdyDictionary.Bytes);

        public byte[] Block(params string[] texts)
        {
            byte[] plain = [
                .. Word(texts.Length / 2), .. texts.SelectMany(text => Word(text.Length).Concat(Encoding.ASCII.GetBytes(text)))];
            _deflater.SetInput(plain);
            _deflater.Flush();
            var block = new byte[1024];
            var length = 0;
            while (_deflater.Deflate(block, length, block.Length - length) is > 0 and var written)
            {
                length += written;
            }

            return block[..length];
        }
    }

    /// <summary>Reads the input and keeps what is written.</summary>
    private sealed class Wire(byte[] input) : MemoryStream(input, writable: false)
    {
        private readonly MemoryStream _sent = new();

        public byte[] Sent
        {
            get
            {
                lock (_sent)
                {
                    return _sent.ToArray();
                }
            }
        }

        public override bool CanWrite => true;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            lock (_sent)
            {
                _sent.Write(buffer.Span);
            }

            return ValueTask.CompletedTask;
        }

        protected override void Dispose(bool disposing)
        {
            _sent.Dispose();
            base.Dispose(disposing);
        }
    }
}
