using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Routing;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Local.ApiServer.Writing;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.Operator.Local.ApiServer;

/// <summary>A Kubernetes API server in memory, for one machine: loopback only, TLS by its own authority, one random token that may do
/// everything. Started by local mode and by tests; kubectl and the operator's client talk to it as to any cluster.</summary>
/// <remarks>Not here: admission webhooks, conversion webhooks, quotas, RBAC decisions and proxies.</remarks>
internal sealed class LocalApiServer : IAsyncDisposable
{
    // How much of a body that is too large is read to let the client see the answer, before the connection is cut.
    private const int DrainFactor = 8;

    private static readonly TimeSpan ShutdownLimit = TimeSpan.FromSeconds(5);

    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stopping;
    private readonly Task _garbageCollection;
    private readonly VersionedStore _store;

    private LocalApiServer(
        WebApplication app, CancellationTokenSource stopping, Task garbageCollection, VersionedStore store, string token,
        string authorityPem)
    {
        _app = app;
        _stopping = stopping;
        _garbageCollection = garbageCollection;
        _store = store;
        Token = token;
        CaCertificatePem = authorityPem;
        BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    /// <summary>The bearer token every request needs.</summary>
    public string Token { get; }

    /// <summary>What a client must trust, PEM.</summary>
    public string CaCertificatePem { get; }

    /// <summary><c>https://127.0.0.1:PORT</c>.</summary>
    public Uri BaseAddress { get; }

    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<LocalApiServer> StartAsync(LocalApiServerOptions options, CancellationToken cancellationToken)
    {
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var certificate = ServerCertificate.Create(options.Clock.GetUtcNow());
        var stopping = new CancellationTokenSource();
        var state = new ApiState(new VersionedStore(options.HistoryLimit), new ResourceRegistry(), options.Clock);
        var creation = new ObjectCreation(state);
        var update = new ObjectUpdate(state);
        var deletion = new ObjectDeletion(state);
        var budgets = new DisruptionBudgets(state, update);
        var authentication = new Authentication(token, options.Clock);
        var handler = new ApiRequestHandler(
            state.Registry,
            authentication,
            new DiscoveryEndpoint(state.Registry),
            new ReadEndpoint(state),
            new WatchEndpoint(state, options.BookmarkInterval, stopping.Token),
            new WriteEndpoint(state, creation, update, new ObjectPatch(state, creation, update), deletion, options.BodyLimitBytes),
            new SubresourceEndpoint(
                state, update, new PodOperations(state, update, deletion, budgets), new AccountTokens(state, authentication),
                options.PodLogs, options.BodyLimitBytes, stopping.Token),
            new SessionEndpoint(state, options.PodSessions, stopping.Token),
            options.AllowedHosts);
        SeedCluster(state, creation, options.Namespaces);

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.BodyLimitBytes * DrainFactor;
            // A watcher that reads slowly is its own problem; the change log does not wait for it.
            kestrel.Limits.MinResponseDataRate = null;
            // Warnings name fields as the client wrote them.
            kestrel.ResponseHeaderEncodingSelector = _ => Encoding.UTF8;
            kestrel.Listen(IPAddress.Loopback, options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(certificate.Server);
            });
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownLimit);
        var app = builder.Build();
        if (options.Audit is { } audit)
        {
            app.Use(next => http => AuditedRequest.FollowAsync(http, next, audit));
        }
        app.UseWebSockets();
        app.Run(handler.HandleAsync);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch
        {
            await app.DisposeAsync();
            stopping.Dispose();
            throw;
        }
        List<Action> controllers = [budgets.Sync];
        if (options.FillsNamespaces)
        {
            controllers.Add(new NamespaceContents(state, creation, update, certificate.AuthorityPem).Sync);
            controllers.Add(new EndpointSlices(state, creation, update).Sync);
        }
        var collector = new GarbageCollector(state, update, deletion, controllers);
        return new LocalApiServer(
            app, stopping, Task.Run(() => collector.RunAsync(stopping.Token), CancellationToken.None), state.Store, token,
            certificate.AuthorityPem);
    }

    /// <summary>Writes a kubeconfig that only its owner can read.</summary>
    public void WriteKubeconfig(string path)
    {
        var text = $"""
            apiVersion: v1
            kind: Config
            clusters:
            - name: cluster-local
              cluster:
                server: {BaseAddress.GetLeftPart(UriPartial.Authority)}
                certificate-authority-data: {Convert.ToBase64String(Encoding.ASCII.GetBytes(CaCertificatePem))}
            users:
            - name: local-admin
              user:
                token: {Token}
            contexts:
            - name: cluster-local
              context: {"{cluster: cluster-local, user: local-admin, namespace: default}"}
            current-context: cluster-local

            """;
        // Created with its final mode: at no time is the token readable by others.
        File.Delete(path);
        var creation = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            creation.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        using var file = new FileStream(path, creation);
        file.Write(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Forgets all change history, as a real cluster does every few minutes: watches from older versions are answered
    /// 410.</summary>
    public void CompactHistory() => _store.Compact();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _garbageCollection;
        await _app.StopAsync();
        await _app.DisposeAsync();
        _stopping.Dispose();
    }

    private static void SeedCluster(ApiState state, ObjectCreation creation, IReadOnlyList<string> namespaces)
    {
        var options = new WriteOptions { FieldManager = "cluster-local" };
        var type = state.Registry.Find("", "v1", "namespaces")!;
        foreach (var name in namespaces)
        {
            creation.Create(type, "", new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } }, options);
        }
    }
}
