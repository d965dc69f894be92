using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Kubernetes;

/// <summary>Runs a credential plugin and keeps what it printed until that expires or the server refuses it. One run at a time, whoever asks.</summary>
/// <remarks>Protocol: kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins. The plugin gets no
/// standard input and is told <c>interactive: false</c>.</remarks>
internal sealed class ExecCredentialSource(ExecPlugin plugin, TimeProvider time) : ICredentialSource
{
    private const int MaxOutputChars = 1 << 20;
    private const int MaxErrorChars = 2000;

    /// <summary>Renewed this long before it expires, so that no request is on its way with a dying token.</summary>
    private static readonly TimeSpan s_margin = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(60);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private volatile Issued? _issued;

    public async ValueTask<Credential> GetAsync(CancellationToken cancellationToken)
    {
        if (_issued is { } cached && IsFresh(cached))
        {
            return cached.Credential;
        }

        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_issued is { } others && IsFresh(others))
            {
                return others.Credential;
            }

            Issued issued = Read(await RunAsync(cancellationToken));
            _issued = issued;
            return issued.Credential;
        }
        finally
        {
            _turn.Release();
        }
    }

    public bool Reject(Credential credential)
    {
        if (_issued is { } issued && ReferenceEquals(issued.Credential, credential))
        {
            _issued = null;
        }

        return true;
    }

    private bool IsFresh(Issued issued) => issued.Expires is not { } expires || time.GetUtcNow() < expires - s_margin;

    private async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = new(s_timeout, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        using Process process = Start();
        // Reading a pipe does not listen to cancellation everywhere; ending its writer always ends it.
        using CancellationTokenRegistration end = either.Token.Register(() => Kill(process));
        try
        {
            process.StandardInput.Close();
            Task<string> output = ReadBoundedAsync(process.StandardOutput, MaxOutputChars);
            Task<string> errors = ReadTailAsync(process.StandardError);

            // WaitAsync: something the plugin left running may hold the pipes open.
            string answer = await output.WaitAsync(either.Token);
            string said = await errors.WaitAsync(either.Token);
            await process.WaitForExitAsync(either.Token);
            either.Token.ThrowIfCancellationRequested();
            return process.ExitCode == 0 ? answer : throw Failure($"exited with {process.ExitCode}{(said.Length > 0 ? $": {said}" : "")}");
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw Failure($"gave no answer within {s_timeout.TotalSeconds:0} s (it must not wait for input)");
        }
        finally
        {
            Kill(process);
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception error) when (error is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It has ended by itself.
        }
    }

    private Process Start()
    {
        ProcessStartInfo start = new(plugin.Command, plugin.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            UseShellExecute = false,
        };
        foreach ((string name, string value) in plugin.Environment)
        {
            start.Environment[name] = value;
        }

        JsonObject spec = new() { ["interactive"] = false };
        if (plugin.ClusterInfo is not null)
        {
            spec["cluster"] = plugin.ClusterInfo.DeepClone();
        }

        start.Environment["KUBERNETES_EXEC_INFO"] = new JsonObject
        {
            ["apiVersion"] = plugin.ApiVersion,
            ["kind"] = "ExecCredential",
            ["spec"] = spec,
        }.ToJsonString();

        try
        {
            return Process.Start(start) ?? throw Failure("did not start");
        }
        catch (Exception error) when (error is Win32Exception or InvalidOperationException)
        {
            string hint = plugin.InstallHint is { Length: > 0 } text ? $"\n{text}" : "";
            throw Failure($"cannot be run: {error.Message}{hint}", error);
        }
    }

    private Issued Read(string output)
    {
        JsonObject answer;
        try
        {
            answer = JsonNode.Parse(output) as JsonObject ?? throw new JsonException("not an object");
        }
        catch (JsonException error)
        {
            throw Failure($"printed no ExecCredential: {error.Message}", error);
        }

        // The text is never quoted in an error: it holds the secret.
        string? Text(JsonNode? from, string field) => from?[field] switch
        {
            null => null,
            JsonValue value when value.TryGetValue(out string? text) => text,
            _ => throw Failure($"answered with a '{field}' that is no string"),
        };

        if (Text(answer, "apiVersion") is var version && version != plugin.ApiVersion)
        {
            throw Failure($"answered with apiVersion '{version}'; the kubeconfig asked for '{plugin.ApiVersion}'");
        }

        JsonObject status = answer["status"] as JsonObject ?? throw Failure("answered without a 'status'");
        string? token = Text(status, "token");
        string? certificatePem = Text(status, "clientCertificateData");
        string? keyPem = Text(status, "clientKeyData");
        if (certificatePem is null != keyPem is null)
        {
            throw Failure("answered with only one of clientCertificateData and clientKeyData");
        }

        ClientCertificate? certificate = certificatePem is null ? null : ClientCertificate.FromPem(certificatePem, keyPem!, $"credential plugin '{plugin.Command}'");
        if (string.IsNullOrEmpty(token) && certificate is null)
        {
            throw Failure("answered with neither a token nor a client certificate");
        }

        DateTimeOffset? expires = Text(status, "expirationTimestamp") is not { } expiry ? null
            : DateTimeOffset.TryParse(expiry, System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.AssumeUniversal, out DateTimeOffset parsed) ? parsed
            : throw Failure($"answered with expirationTimestamp '{expiry}', which is no RFC 3339 time");
        Credential credential = string.IsNullOrEmpty(token) ? new Credential { Certificate = certificate } : Credential.Bearer(token, $"the answer of credential plugin '{plugin.Command}'", certificate);
        return new Issued(credential, expires);
    }

    private async Task<string> ReadBoundedAsync(StreamReader reader, int maxChars)
    {
        StringBuilder text = new();
        char[] buffer = new char[4096];
        while (await reader.ReadAsync(buffer) is > 0 and int count)
        {
            text.Append(buffer, 0, count);
            if (text.Length > maxChars)
            {
                throw Failure($"printed more than {maxChars} characters");
            }
        }

        return text.ToString();
    }

    private static async Task<string> ReadTailAsync(StreamReader reader)
    {
        StringBuilder text = new();
        char[] buffer = new char[4096];
        while (await reader.ReadAsync(buffer) is > 0 and int count)
        {
            text.Append(buffer, 0, count);
            if (text.Length > MaxErrorChars)
            {
                text.Remove(0, text.Length - MaxErrorChars);
            }
        }

        return text.ToString().Trim();
    }

    private KubernetesException Failure(string problem, Exception? inner = null)
        => new(0, "Credentials", $"credential plugin '{plugin.Command}' {problem}", inner);

    private sealed record Issued(Credential Credential, DateTimeOffset? Expires);
}
