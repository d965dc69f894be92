using System.Security.Cryptography;
using System.Text;
using Cluster.Operator.Gateway.Http;
using Microsoft.Net.Http.Headers;

namespace Cluster.Operator.Gateway.Admission;

/// <summary>Lets in who shows a key of the file, which is read again when it changes. A comparison takes the same time wherever two keys
/// differ and however many there are.</summary>
internal sealed class ApiKeyGate
{
    private const string Scheme = "Bearer ";
    private const int MostLength = 1024;

    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(2);

    private readonly string? _file;
    private readonly TimeProvider _time;
    private readonly Action<string, string> _refused;
    private readonly ILogger _logger;
    private volatile IReadOnlyList<ApiKeyAccount> _accounts = [];
    private (DateTime Written, long Length) _seen;

    /// <param name="file">Null lets everyone in.</param>
    /// <param name="refused">Told a key's name, or none, and why it was refused.</param>
    /// <exception cref="FormatException">The file is wrong.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public ApiKeyGate(string? file, TimeProvider time, Action<string, string> refused, ILogger logger)
    {
        (_file, _time, _refused, _logger) = (file, time, refused, logger);
        if (file is not null)
        {
            _seen = Seen(file);
            Take(ApiKeyFile.Read(file));
        }
    }

    /// <summary>Whose request it is.</summary>
    /// <exception cref="GatewayException">The key is missing or wrong, or a header is sent that is not the client's to send.</exception>
    public ApiKeyAccount Admit(IHeaderDictionary headers)
    {
        GatewayGuard.RefuseInternalHeaders(headers);
        if (_file is null)
        {
            return ApiKeyAccount.Anyone;
        }

        // Two credentials are none: which one counts would be anyone's guess.
        if (headers[HeaderNames.Authorization] is [{ } only] && Find(only) is { } found)
        {
            return found;
        }

        _refused("", "key");
        throw new GatewayException(
            StatusCodes.Status401Unauthorized, "the API key is missing or wrong; send it as 'Authorization: Bearer KEY'",
            "invalid_request_error", code: "invalid_api_key");
    }

    /// <summary>Follows the file until cancelled. While it is wrong, the keys before hold.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (_file is null)
        {
            return;
        }

        try
        {
            while (true)
            {
                await Task.Delay(LookInterval, _time, cancellationToken);
                Look(_file);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Told to stop.
        }
    }

    private void Look(string file)
    {
        try
        {
            var now = Seen(file);
            if (now != _seen)
            {
                var keys = ApiKeyFile.Read(file);
                _seen = now;
                Take(keys);
                _logger.LogInformation("{File} has changed: {Count} API keys", file, keys.Count);
            }
        }
        catch (Exception wrong) when (wrong is FormatException or IOException or UnauthorizedAccessException)
        {
            _logger.LogError("{File} cannot be used ({Problem}); the keys before hold", file, wrong.Message);
        }
    }

    /// <summary>Who is in the file again, unchanged, keeps what is left of the minute.</summary>
    private void Take(IReadOnlyList<ApiKeyEntry> keys)
    {
        var before = _accounts;
        _accounts = [.. keys.Select(key => before.FirstOrDefault(account => IsSame(account.Entry!, key))
            ?? new ApiKeyAccount(key, _time, _refused))];
    }

    private static bool IsSame(ApiKeyEntry left, ApiKeyEntry right) =>
        left.Name == right.Name && left.Digest.AsSpan().SequenceEqual(right.Digest)
        && left.RequestsPerMinute == right.RequestsPerMinute && left.TokensPerMinute == right.TokensPerMinute
        && left.OpensPage == right.OpensPage
        && (left.Models is null ? right.Models is null : right.Models is not null && left.Models.SetEquals(right.Models));

    private ApiKeyAccount? Find(string authorization)
    {
        if (!authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var key = authorization.AsSpan(Scheme.Length).Trim(' ');
        if (key.Length is 0 or > MostLength)
        {
            return null;
        }

        Span<byte> text = stackalloc byte[Encoding.UTF8.GetMaxByteCount(MostLength)];
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..Encoding.UTF8.GetBytes(key, text)], digest);
        ApiKeyAccount? found = null;
        foreach (var account in _accounts)
        {
            if (CryptographicOperations.FixedTimeEquals(account.Entry!.Digest, digest))
            {
                found = account;
            }
        }

        return found;
    }

    private static (DateTime Written, long Length) Seen(string file)
    {
        // A mounted Secret is a link that is pointed elsewhere when it changes.
        var target = new FileInfo(file).ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? new FileInfo(file);
        return (target.LastWriteTimeUtc, target.Exists ? target.Length : -1);
    }
}
