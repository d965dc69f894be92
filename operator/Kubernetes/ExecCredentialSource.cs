using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Exceptions;
using k8s.KubeConfigModels;

namespace Cluster.Operator.Kubernetes;

/// <summary>Runs a credential plugin and keeps what it printed until that expires or the server refuses it. One run at a time, whoever
/// asks.</summary>
/// <remarks>Protocol: kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins. The plugin gets no
/// standard input and is told <c>interactive: false</c>. Not the library's <c>ExecTokenProvider</c>: that one runs the plugin while the
/// configuration is loaded and again for the first request, passes over its exit status, leaves it running when it takes too long, and
/// never asks again for a certificate or after a 401.</remarks>
/// <param name="cluster">The <c>spec.cluster</c> to tell the plugin; null unless it asked for it by provideClusterInfo.</param>
internal sealed class ExecCredentialSource(ExternalExecution plugin, JsonObject? cluster, TimeProvider time) : ICredentialSource
{
    private const int MaxOutputChars = 1 << 20;
    private const int MaxErrorChars = 2000;

    /// <summary>Renewed this long before it expires, so that no request is on its way with a dying token.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

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

            var issued = Read(await RunAsync(cancellationToken));
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

    private bool IsFresh(Issued issued) => issued.Expires is not { } expires || time.GetUtcNow() < expires - Margin;

    private async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = new(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        using var process = Start();
        // Reading a pipe does not listen to cancellation everywhere; ending its writer always ends it.
        using var end = either.Token.Register(() => Kill(process));
        try
        {
            process.StandardInput.Close();
            var output = ReadBoundedAsync(process.StandardOutput, MaxOutputChars);
            var errors = ReadTailAsync(process.StandardError);

            // WaitAsync: something the plugin left running may hold the pipes open.
            var answer = await output.WaitAsync(either.Token);
            var said = await errors.WaitAsync(either.Token);
            await process.WaitForExitAsync(either.Token);
            either.Token.ThrowIfCancellationRequested();
            return process.ExitCode == 0 ? answer : throw Failure($"exited with {process.ExitCode}{(said.Length > 0 ? $": {said}" : "")}");
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw Failure($"gave no answer within {Patience.TotalSeconds:0} s (it must not wait for input)");
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
        JsonObject spec = new() { ["interactive"] = false };
        if (cluster is not null)
        {
            spec["cluster"] = cluster.DeepClone();
        }

        try
        {
            // The library's start info, but for what it gets wrong: it joins arguments without quoting them and announces another kind.
            var process = KubernetesClientConfiguration.CreateRunnableExternalProcess(plugin);
            var start = process.StartInfo;
            start.Arguments = "";
            foreach (var argument in plugin.Arguments ?? [])
            {
                start.ArgumentList.Add(argument);
            }

            start.Environment["KUBERNETES_EXEC_INFO"] = new JsonObject
            {
                ["apiVersion"] = plugin.ApiVersion,
                ["kind"] = "ExecCredential",
                ["spec"] = spec,
            }.ToJsonString();
            start.RedirectStandardInput = true;
            start.RedirectStandardError = true;
            start.StandardOutputEncoding = Encoding.UTF8;
            start.StandardErrorEncoding = Encoding.UTF8;
            process.Start();
            return process;
        }
        catch (Exception error) when (error is Win32Exception or InvalidOperationException or KubeConfigException)
        {
            var hint = plugin.InstallHint is { Length: > 0 } text ? $"\n{text}" : "";
            throw Failure($"cannot be run: {error.Message}{hint}", error);
        }
    }

    private Issued Read(string output)
    {
        ExecCredentialResponse answer;
        try
        {
            answer = JsonSerializer.Deserialize<ExecCredentialResponse>(output, KubernetesJson.Options)
                ?? throw new JsonException("not an object");
        }
        catch (JsonException error)
        {
            // The text is never quoted in an error: it holds the secret.
            throw Failure($"printed no ExecCredential: {error.Message}", error);
        }

        if (answer.ApiVersion != plugin.ApiVersion)
        {
            throw Failure($"answered with apiVersion '{answer.ApiVersion}'; the kubeconfig asked for '{plugin.ApiVersion}'");
        }

        var status = answer.Status ?? throw Failure("answered without a 'status'");
        if (status.ClientCertificateData is null != status.ClientKeyData is null)
        {
            throw Failure("answered with only one of clientCertificateData and clientKeyData");
        }

        if (!status.IsValid())
        {
            throw Failure("answered with neither a token nor a client certificate");
        }

        var certificate = status.ClientCertificateData is null ? null
            : ClientCertificate.FromPem(status.ClientCertificateData, status.ClientKeyData!, $"credential plugin '{plugin.Command}'");
        var credential = string.IsNullOrEmpty(status.Token) ? new Credential { Certificate = certificate }
            : Credential.Bearer(status.Token, $"the answer of credential plugin '{plugin.Command}'", certificate);
        return new Issued(credential, status.ExpirationTimestamp);
    }

    private async Task<string> ReadBoundedAsync(StreamReader reader, int maxChars)
    {
        StringBuilder text = new();
        var buffer = new char[4096];
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
        var buffer = new char[4096];
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

    private sealed record Issued(Credential Credential, DateTime? Expires);
}
