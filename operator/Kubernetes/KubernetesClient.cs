using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;
using k8s;
using k8s.Models;

namespace Cluster.Operator.Kubernetes;

/// <summary>The API's verbs over HTTP. Used by controllers, the node agent and local mode through <see cref="IKubernetesClient"/>; sends
/// through <see cref="KubernetesTransport"/>.</summary>
internal sealed class KubernetesClient : IKubernetesClient, IDisposable
{
    private const string FieldManager = "cluster-operator";
    private const int PageSize = 500;
    private const int MaxListRestarts = 2;
    private const int MaxWatchLineBytes = 32 << 20;
    private const int MaxLogBytes = 16 << 20;

    /// <summary>A server that has not ended a watch this long after it should have is taken for dead.</summary>
    private static readonly TimeSpan WatchGrace = TimeSpan.FromSeconds(30);

    private readonly KubernetesTransport _transport;
    private readonly string _defaultNamespace;
    private readonly TimeProvider _time;
    private readonly Random _random;

    private KubernetesClient(ClientConfiguration configuration, TimeProvider time, Random random, Action<ApiAttempt>? observe)
    {
        _transport = new KubernetesTransport(configuration, time, observe);
        Pods = new PodStreams(_transport);
        _defaultNamespace = configuration.Namespace;
        _time = time;
        _random = random;
    }

    /// <summary>Logs and connections of pods. Not part of <see cref="IKubernetesClient"/>: no controller needs them.</summary>
    public PodStreams Pods { get; }

    /// <param name="time">Clock of retries and timeouts; default the machine's.</param>
    /// <param name="random">Spreads watch timeouts so that not every watch renews at once.</param>
    /// <param name="observe">Told of every attempt of a request; for metrics.</param>
    public static KubernetesClient Create(
        ClientConfiguration configuration, TimeProvider? time = null, Random? random = null, Action<ApiAttempt>? observe = null)
        => new(configuration, time ?? TimeProvider.System, random ?? Random.Shared, observe);

    public Task<T> GetAsync<T>(string? @namespace, string name, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
        => SendAsync<T>(
            new ApiRequest(HttpMethod.Get, ResourcePath.Object(ResourceDefinition.Of<T>(), @namespace, name), []), KubernetesJson.Options,
            cancellationToken);

    public async Task<ResourceList<T>> ListAsync<T>(string? @namespace, Selection? selection, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        for (var restarts = 0; ; restarts++)
        {
            // A server busy enough to expire tokens between pages is asked for everything at once in the end.
            int? limit = restarts < MaxListRestarts ? PageSize : null;
            try
            {
                return await ListPagesAsync<T>(@namespace, selection, limit, cancellationToken);
            }
            catch (KubernetesException error) when (error.IsGone && limit is not null)
            {
            }
        }
    }

    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        string? @namespace, string resourceVersion, Selection? selection, Action? opened,
        [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var timeoutSeconds = _random.Next(300, 600);
        ApiRequest request = new(HttpMethod.Get, ResourcePath.Collection(ResourceDefinition.Of<T>(), @namespace),
        [
            new("watch", "true"),
            new("allowWatchBookmarks", "true"),
            new("resourceVersion", resourceVersion),
            new("timeoutSeconds", timeoutSeconds.ToString(CultureInfo.InvariantCulture)),
            .. Selectors(selection),
        ]);
        using var response = await _transport.SendAsync(request, (opened, _) => Task.FromResult(opened), cancellationToken);
        opened?.Invoke();
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(timeoutSeconds) + WatchGrace, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(either.Token);
        LineReader lines = new(stream, MaxWatchLineBytes);
        while (await NextAsync<T>(lines, KubernetesJson.For(selection), deadline.Token, either.Token) is { } watchEvent)
        {
            yield return watchEvent;
        }
    }

    public Task<T> CreateAsync<T>(JsonObject manifest, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
        => WriteAsync<T>(
            HttpMethod.Post, ResourcePath.Collection(ResourceDefinition.Of<T>(), NamespaceOf<T>(manifest)), manifest, cancellationToken);

    public Task<T> ReplaceAsync<T>(JsonObject manifest, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
        => WriteAsync<T>(
            HttpMethod.Put, ResourcePath.Object(ResourceDefinition.Of<T>(), NamespaceOf<T>(manifest), NameOf(manifest), subresource),
            manifest, cancellationToken);

    public Task<T> ApplyAsync<T>(
        JsonObject manifest, string fieldManager, bool force, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
        => WriteAsync<T>(
            new ApiRequest(
                HttpMethod.Patch,
                ResourcePath.Object(ResourceDefinition.Of<T>(), NamespaceOf<T>(manifest), NameOf(manifest), subresource),
                [new("fieldManager", fieldManager), new("force", force ? "true" : null), new("fieldValidation", "Strict")],
                Serialize(WithKind<T>(manifest)),
                // JSON is YAML; servers before 1.34 know no application/apply-patch+json.
                "application/apply-patch+yaml"),
            cancellationToken);

    public Task<T> PatchAsync<T>(
        string? @namespace, string name, PatchType type, JsonNode patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
        => WriteAsync<T>(
            new ApiRequest(
                HttpMethod.Patch, ResourcePath.Object(ResourceDefinition.Of<T>(), @namespace, name, subresource), WriteQuery,
                Serialize(patch), ContentTypeOf(type)),
            cancellationToken);

    public Task DeleteAsync<T>(
        string? @namespace, string name, string? preconditionUid, int? gracePeriodSeconds, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        JsonObject options = new() { ["apiVersion"] = "v1", ["kind"] = "DeleteOptions", ["propagationPolicy"] = "Background" };
        if (preconditionUid is not null)
        {
            options["preconditions"] = new JsonObject { ["uid"] = preconditionUid };
        }

        if (gracePeriodSeconds is not null)
        {
            options["gracePeriodSeconds"] = gracePeriodSeconds;
        }

        ApiRequest request = new(
            HttpMethod.Delete, ResourcePath.Object(ResourceDefinition.Of<T>(), @namespace, name), [], Serialize(options));
        return _transport.SendAsync(request, DiscardAsync, cancellationToken);
    }

    /// <summary>A Status or the object, as the server likes; neither says more than the success does.</summary>
    private static Task<bool> DiscardAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        response.Dispose();
        return Task.FromResult(true);
    }

    /// <summary>Posts a Binding: what a scheduler does. Not part of <see cref="IKubernetesClient"/>, since only local mode
    /// schedules.</summary>
    public Task BindAsync(string @namespace, string pod, string node, CancellationToken cancellationToken)
    {
        JsonObject binding = new()
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Binding",
            ["metadata"] = new JsonObject { ["name"] = pod, ["namespace"] = @namespace },
            ["target"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = node },
        };
        ApiRequest request = new(
            HttpMethod.Post, ResourcePath.Object(ResourceDefinition.Of<V1Pod>(), @namespace, pod, "binding"), WriteQuery,
            Serialize(binding));
        return _transport.SendAsync(request, DiscardAsync, cancellationToken);
    }

    public Task<string> ReadLogAsync(
        string @namespace, string pod, string container, int tailLines, bool previous, CancellationToken cancellationToken)
    {
        ApiRequest request = new(HttpMethod.Get, ResourcePath.Object(ResourceDefinition.Of<V1Pod>(), @namespace, pod, "log"),
        [
            new("container", container),
            new("tailLines", tailLines.ToString(CultureInfo.InvariantCulture)),
            new("limitBytes", MaxLogBytes.ToString(CultureInfo.InvariantCulture)),
            new("previous", previous ? "true" : null),
        ])
        {
            Accept = "text/plain, application/json",
        };
        return _transport.SendAsync(
            request,
            async (response, token) =>
            {
                using (response)
                {
                    return await response.Content.ReadAsStringAsync(token);
                }
            },
            cancellationToken);
    }

    public void Dispose() => _transport.Dispose();

    /// <summary>Unknown fields are refused by the server instead of silently dropped.</summary>
    private static KeyValuePair<string, string?>[] WriteQuery => [new("fieldManager", FieldManager), new("fieldValidation", "Strict")];

    private async Task<ResourceList<T>> ListPagesAsync<T>(
        string? @namespace, Selection? selection, int? limit, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        List<T> items = [];
        string? next = null;
        while (true)
        {
            ApiRequest request = new(HttpMethod.Get, ResourcePath.Collection(ResourceDefinition.Of<T>(), @namespace),
            [
                new("limit", limit?.ToString(CultureInfo.InvariantCulture)),
                new("continue", next),
                .. Selectors(selection),
            ]);
            var options = KubernetesJson.For(selection);
            var page = await _transport.SendAsync(
                request, (response, token) => ReadAsync<ListPage<T>>(response, options, token), cancellationToken);
            foreach (var item in page.Items ?? [])
            {
                // Items of a list carry no kind of their own.
                item.ApiVersion ??= ResourceDefinition.Of<T>().ApiVersion;
                item.Kind ??= ResourceDefinition.Of<T>().Kind;
                items.Add(item);
            }

            next = page.Metadata.ContinueProperty;
            if (string.IsNullOrEmpty(next))
            {
                return new ResourceList<T>(items, page.Metadata.ResourceVersion ?? "");
            }
        }
    }

    private async ValueTask<WatchEvent<T>?> NextAsync<T>(
        LineReader lines, JsonSerializerOptions options, CancellationToken deadline, CancellationToken either)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        try
        {
            ReadOnlyMemory<byte>? line;
            do
            {
                line = await lines.ReadAsync(either);
            }
            while (line is { Length: 0 });

            return line is { } json ? ReadEvent<T>(json.Span, options) : null;
        }
        catch (OperationCanceledException error) when (deadline.IsCancellationRequested)
        {
            throw new KubernetesException(
                0, "Timeout",
                $"watch of {ResourceDefinition.Of<T>().Plural} at {_transport.Server}: the server neither sent anything nor ended the "
                + "stream in time", error);
        }
        catch (Exception error) when (KubernetesTransport.IsNetworkFailure(error))
        {
            throw _transport.Unreachable(error);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new KubernetesException(
                0, "UnreadableAnswer",
                $"watch of {ResourceDefinition.Of<T>().Plural} at {_transport.Server}: an event does not fit the expected type: "
                + $"{error.Message}", error);
        }
    }

    /// <summary>The object is read straight from the bytes: a busy cluster sends little else, and a tree in between would cost more than
    /// the object.</summary>
    private static WatchEvent<T> ReadEvent<T>(ReadOnlySpan<byte> json, JsonSerializerOptions options)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        string? type = null;
        JsonTokenType? token = null;
        ReadOnlySpan<byte> value = default;
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = KubernetesJson.MaxDepth });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isType = reader.ValueTextEquals("type"u8), isObject = reader.ValueTextEquals("object"u8);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            token = isObject ? reader.TokenType : token;
            type = isType && reader.TokenType == JsonTokenType.String ? reader.GetString() : type;
            reader.Skip();
            value = isObject ? json[start..(int)reader.BytesConsumed] : value;
        }

        if (token != JsonTokenType.StartObject)
        {
            throw new JsonException($"the object is {token?.ToString() ?? "Undefined"}");
        }

        var known = type switch
        {
            "ADDED" => WatchEventType.Added,
            "MODIFIED" => WatchEventType.Modified,
            "DELETED" => WatchEventType.Deleted,
            "BOOKMARK" => WatchEventType.Bookmark,
            "ERROR" => throw ErrorStatus.FromStatus(JsonTree.Parse(value.ToArray())!.AsObject(), 500),
            _ => throw new JsonException($"unknown event type '{type}'"),
        };
        return new WatchEvent<T>(known, JsonSerializer.Deserialize<T>(value, options)!);
    }

    private Task<T> WriteAsync<T>(HttpMethod method, string path, JsonObject manifest, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
        => WriteAsync<T>(new ApiRequest(method, path, WriteQuery, Serialize(WithKind<T>(manifest))), cancellationToken);

    /// <summary>Nobody reads what it has just written whole.</summary>
    private Task<T> WriteAsync<T>(ApiRequest request, CancellationToken cancellationToken) =>
        SendAsync<T>(request, KubernetesJson.CachedFieldsOptions, cancellationToken);

    private Task<T> SendAsync<T>(ApiRequest request, JsonSerializerOptions options, CancellationToken cancellationToken)
        => _transport.SendAsync(request, (response, token) => ReadAsync<T>(response, options, token), cancellationToken);

    private static async Task<T> ReadAsync<T>(
        HttpResponseMessage response, JsonSerializerOptions options, CancellationToken cancellationToken)
    {
        using (response)
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            return await JsonSerializer.DeserializeAsync<T>(stream, options, cancellationToken)
                ?? throw new JsonException("the answer is null");
        }
    }

    private static byte[] Serialize(JsonNode node) => JsonSerializer.SerializeToUtf8Bytes(node, KubernetesJson.Options);

    private static KeyValuePair<string, string?>[] Selectors(Selection? selection)
        => [new("labelSelector", selection?.LabelSelector), new("fieldSelector", selection?.FieldSelector)];

    private static string ContentTypeOf(PatchType type) => type switch
    {
        PatchType.Merge => "application/merge-patch+json",
        PatchType.StrategicMerge => "application/strategic-merge-patch+json",
        PatchType.Json => "application/json-patch+json",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no such patch type"),
    };

    private string? NamespaceOf<T>(JsonObject manifest)
        where T : IKubernetesObject<V1ObjectMeta>
        => ResourceDefinition.Of<T>().Namespaced ? (string?)manifest["metadata"]?["namespace"] ?? _defaultNamespace : null;

    private static string NameOf(JsonObject manifest)
        => (string?)manifest["metadata"]?["name"] ?? throw new ArgumentException("the manifest has no metadata.name", nameof(manifest));

    /// <summary>The manifest with apiVersion and kind, which the server demands; the caller's object is left alone.</summary>
    private static JsonObject WithKind<T>(JsonObject manifest)
        where T : IKubernetesObject<V1ObjectMeta>
    {
        // Given ones stay: a subresource such as scale has a kind of its own.
        if (manifest["apiVersion"] is not null && manifest["kind"] is not null)
        {
            return manifest;
        }

        var copy = manifest.DeepClone().AsObject();
        copy["apiVersion"] = ResourceDefinition.Of<T>().ApiVersion;
        copy["kind"] = ResourceDefinition.Of<T>().Kind;
        return copy;
    }

    private sealed class ListPage<T>
    {
        public V1ListMeta Metadata { get; set; } = new();

        public List<T>? Items { get; set; }
    }
}
