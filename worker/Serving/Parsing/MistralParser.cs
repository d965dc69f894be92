using System.Text.RegularExpressions;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>Mistral's calls: <c>[TOOL_CALLS][{"name": …, "arguments": {…}}]</c> of the older tokenizers, and of the newer ones
/// <c>[TOOL_CALLS]name{…}</c>, <c>[TOOL_CALLS]name[ARGS]{…}</c> and <c>[TOOL_CALLS]name[CALL_ID]id[ARGS]{…}</c>.</summary>
internal sealed partial class MistralParser() : JsonCallsParser([Marker], null)
{
    public const string Marker = "[TOOL_CALLS]";
    public const string Arguments = "[ARGS]";
    public const string CallId = "[CALL_ID]";

    private const int MaxHeader = 512;
    private const int IdLength = 9;
    private const string Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    private CallArgumentReader? _arguments;

    /// <summary>Nine letters and digits: Mistral's templates take no other id.</summary>
    public static string SpellId(byte[] random)
    {
        var rest = new UInt128(BitConverter.ToUInt64(random, 0), BitConverter.ToUInt64(random, sizeof(ulong)));
        return string.Create(IdLength, rest, static (id, rest) =>
        {
            foreach (ref var character in id)
            {
                (rest, var digit) = UInt128.DivRem(rest, (UInt128)Digits.Length);
                character = Digits[(int)digit];
            }
        });
    }

    protected override bool? ReadOther(OutputPieces pieces, bool ended)
    {
        if (_arguments is null)
        {
            var head = Buffer.Rest[..Math.Min(Buffer.Length, MaxHeader)];
            var brace = head.IndexOf('{');
            if (brace < 0)
            {
                return ended || head.Length == MaxHeader ? false : null;
            }

            var header = Header().Match(head[..brace].ToString());
            if (!header.Success)
            {
                return false;
            }

            Buffer.Skip(brace);
            pieces.BeginCall(header.Groups["name"].Value, header.Groups["id"] is { Success: true } id ? id.Value : null);
            _arguments = new CallArgumentReader(terminator: null);
        }

        if (!_arguments.Read(Buffer, pieces, ended))
        {
            return null;
        }

        _arguments = null;
        return true;
    }

    [GeneratedRegex(@"^\s*(?<name>[\w.:/-]+)\s*(\[CALL_ID\]\s*(?<id>[\w-]+)\s*)?(\[ARGS\])?\s*$")]
    private static partial Regex Header();
}
