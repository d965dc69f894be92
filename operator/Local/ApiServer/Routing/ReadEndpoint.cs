using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Local.ApiServer.Tables;
using Cluster.Operator.Local.ApiServer.Writing;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>GET of one object and of a collection, with paging and resourceVersion semantics (api-concepts, "Resource versions").</summary>
internal sealed class ReadEndpoint(ApiState state)
{
    public async Task GetAsync(ApiCall call)
    {
        if (ParseVersion(call.Query("resourceVersion")) is { } atLeast)
        {
            RequireReached(atLeast);
        }
        var stored = state.Require(call.Type, call.Key);
        if (call.Form == AnswerForm.Objects && stored.Root.Text("apiVersion") == call.Type.ApiVersion)
        {
            await Answers.WriteAsync(call.Http, 200, stored.Json, Answers.Json);
            return;
        }
        await call.AnswerAsync(stored.Root, state.Clock.GetUtcNow());
    }

    public async Task ListAsync(ApiCall call)
    {
        var matches = call.Selection();
        var limit = long.TryParse(call.Query("limit"), out var l) && l > 0 ? l : long.MaxValue;
        var (objects, version, after) = Choose(call, limit != long.MaxValue);

        var page = new List<StoredObject>();
        var remaining = 0L;
        foreach (var (key, stored) in objects)
        {
            if ((after is { } last && key.CompareTo(last) <= 0) || !matches(stored.Root))
            {
                continue;
            }
            if (page.Count < limit)
            {
                page.Add(stored);
            }
            else
            {
                remaining++;
            }
        }
        var metadata = new JsonObject { ["resourceVersion"] = VersionedStore.Text(version) };
        if (remaining > 0)
        {
            metadata["continue"] = new ContinueToken(version, page[^1].Key).Encode();
            if (!call.HasSelector)
            {
                metadata["remainingItemCount"] = remaining;
            }
        }
        await WriteAsync(call, page, metadata);
    }

    private (ImmutableSortedDictionary<ObjectKey, StoredObject> Objects, long Version, ObjectKey? After) Choose(ApiCall call, bool limited)
    {
        var asked = ParseVersion(call.Query("resourceVersion"));
        var match = call.Query("resourceVersionMatch");
        if (call.Query("continue") is { } token)
        {
            if (asked is > 0)
            {
                throw ApiErrors.BadRequest("specifying resource version is not allowed when using continue");
            }
            var page = ContinueToken.Decode(token);
            if (page.Version == 0)
            {
                var (newest, newestVersion) = state.Store.Snapshot(call.Type.Collection);
                return (newest, newestVersion, page.After);
            }
            var objects = state.Store.SnapshotAt(call.Type.Collection, page.Version)
                ?? throw ApiErrors.Expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
                    + "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
                    + "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
                    + "deleted between the time the first chunk was returned and now may show up in the list.",
                    (page with { Version = 0 }).Encode());
            return (objects, page.Version, page.After);
        }
        if (match is not null and not ("Exact" or "NotOlderThan"))
        {
            throw Invalid(
                "resourceVersionMatch",
                FieldError.NotSupported("resourceVersionMatch", $"\"{match}\"", ["\"Exact\"", "\"NotOlderThan\"", "\"\""]));
        }
        if (match is not null && call.Query("resourceVersion") is null)
        {
            throw Invalid(
                "resourceVersionMatch",
                FieldError.Forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"));
        }
        if (match == "Exact" && asked == 0)
        {
            throw Invalid(
                "resourceVersionMatch",
                FieldError.Forbidden("resourceVersionMatch", "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
        }
        if (asked is { } atLeast)
        {
            RequireReached(atLeast);
            if (atLeast > 0 && (match == "Exact" || (match is null && limited)))
            {
                var objects = state.Store.SnapshotAt(call.Type.Collection, atLeast)
                    ?? throw ApiErrors.Expired($"too old resource version: {atLeast} ({state.Store.Version})");
                return (objects, atLeast, null);
            }
        }
        var (current, version) = state.Store.Snapshot(call.Type.Collection);
        return (current, version, null);

        ApiException Invalid(string _, FieldError error) =>
            ApiErrors.Invalid(new() { Group = "meta.k8s.io", Version = "v1", Kind = "ListOptions", Plural = "listoptions" }, "", [error]);
    }

    private void RequireReached(long version)
    {
        var current = state.Store.Version;
        if (version > current)
        {
            throw ApiErrors.TooLargeVersion(version, current);
        }
    }

    /// <exception cref="ApiException">400 when the text is not a version.</exception>
    public static long? ParseVersion(string? text) =>
        text is null ? null
        : long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var version)
            ? version
        : throw ApiErrors.BadRequest($"Invalid value: \"{text}\": resourceVersion must be a non-negative integer");

    private async Task WriteAsync(ApiCall call, List<StoredObject> page, JsonObject metadata)
    {
        var rendered = page.Select(stored => ObjectUpdate.Rendered(stored.Root, call.Type));
        if (call.Form == AnswerForm.Table)
        {
            await Answers.WriteAsync(
                call.Http, 200,
                TableWriter.Write(call.Type, rendered, metadata, call.Query("includeObject"), withColumns: true, state.Clock.GetUtcNow()));
            return;
        }
        var partial = call.Form == AnswerForm.Metadata;
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(16 * 1024);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("kind", partial ? "PartialObjectMetadataList" : call.Type.ListKind);
            writer.WriteString("apiVersion", partial ? "meta.k8s.io/v1" : call.Type.ApiVersion);
            writer.WritePropertyName("metadata");
            metadata.WriteTo(writer);
            writer.WriteStartArray("items");
            foreach (var stored in page)
            {
                if (partial)
                {
                    TableWriter.PartialMetadata(stored.Root).WriteTo(writer);
                }
                else if (stored.Root.Text("apiVersion") == call.Type.ApiVersion)
                {
                    writer.WriteRawValue(stored.Json, skipInputValidation: true);
                }
                else
                {
                    ObjectUpdate.Rendered(stored.Root, call.Type).WriteTo(writer);
                }
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        await Answers.WriteAsync(call.Http, 200, buffer.WrittenSpan.ToArray(), Answers.Json);
    }
}
