using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Local.ApiServer.Tables;
using Cluster.Operator.Local.ApiServer.Writing;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>GET with <c>watch=true</c>: changes as JSON lines until the client goes, the time is up, or the watch has fallen too far behind
/// (api-concepts, "Efficient detection of changes").</summary>
internal sealed class WatchEndpoint(ApiState state, TimeSpan bookmarkInterval, CancellationToken stopping)
{
    // A real server picks 30 to 60 minutes when the client names no limit.
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromMinutes(45);

    public async Task WatchAsync(ApiCall call)
    {
        var matches = call.Selection();
        var stream = new EventStream(call, state.Clock);
        var (initial, version, reader) = Start(call);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(call.Aborted, stopping);
        var timeout = long.TryParse(call.Query("timeoutSeconds"), out var seconds) && seconds > 0
            ? TimeSpan.FromSeconds(Math.Min(seconds, 86_400))
            : DefaultTimeout;
        var bookmarks = call.Flag("allowWatchBookmarks");

        call.Http.Response.ContentType = Answers.Json;
        try
        {
            await call.Http.Response.StartAsync(ending.Token);
            if (reader is null)
            {
                await stream.WriteErrorAsync(
                    ApiErrors.Expired($"too old resource version: {call.Query("resourceVersion")} ({state.Store.Version})"), ending.Token);
                return;
            }
            foreach (var stored in initial.Where(stored => matches(stored.Root)))
            {
                await stream.WriteAsync("ADDED", stored, ending.Token);
            }
            if (call.Flag("sendInitialEvents") && bookmarks)
            {
                await stream.WriteBookmarkAsync(version, initialEventsEnd: true, ending.Token);
            }
            await FollowAsync(call, stream, reader, matches, bookmarks, version, timeout, ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // The client went or the server stops: the stream just ends.
        }
    }

    private async Task FollowAsync(
        ApiCall call, EventStream stream, ChangeReader reader, Func<JsonObject, bool> matches, bool bookmarks, long started,
        TimeSpan timeout, CancellationToken cancellationToken)
    {
        var timeUp = Task.Delay(timeout, state.Clock, cancellationToken);
        var bookmarkDue = bookmarks
            ? Task.Delay(bookmarkInterval, state.Clock, cancellationToken)
            : Task.Delay(Timeout.Infinite, cancellationToken);
        // Every commit of any collection wakes every watch; most have nothing to send then.
        var flushed = false;
        while (true)
        {
            var (changes, version, next) = reader.Take();
            if (changes is null)
            {
                await stream.WriteErrorAsync(
                    ApiErrors.Expired($"too old resource version: the watch fell behind ({version})"), cancellationToken);
                return;
            }
            foreach (var change in changes)
            {
                await WriteChangeAsync(stream, change, matches, cancellationToken);
            }
            if (bookmarkDue.IsCompleted || (timeUp.IsCompleted && bookmarks))
            {
                // A client that knows this version already has no use for a bookmark, and a real server sends none.
                if (version > started)
                {
                    flushed = false;
                    await stream.WriteBookmarkAsync(version, initialEventsEnd: false, cancellationToken);
                }
                bookmarkDue = Task.Delay(bookmarkInterval, state.Clock, cancellationToken);
            }
            if (changes.Length > 0 || !flushed)
            {
                await call.Http.Response.Body.FlushAsync(cancellationToken);
                flushed = true;
            }
            // A definition's deletion is committed before its kind is gone, so no commit may come to wake this watch after that.
            var otherKinds = state.Registry.NextChange;
            if (timeUp.IsCompleted || !state.Registry.IsServed(call.Type))
            {
                return;
            }
            await Task.WhenAny(next, timeUp, bookmarkDue, otherKinds);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    // An object that starts or stops matching the selector appears or disappears for this watcher.
    private static async Task WriteChangeAsync(
        EventStream stream, StoreChange change, Func<JsonObject, bool> matches, CancellationToken cancellationToken)
    {
        var before = change.Previous is { } previous && matches(previous.Root);
        var now = change.Current is { } current && matches(current.Root);
        if (now)
        {
            await stream.WriteAsync(before ? "MODIFIED" : "ADDED", change.Current!, cancellationToken);
        }
        else if (before)
        {
            var last = change.Deleted?.Root;
            if (last is null)
            {
                last = change.Previous!.Root.Copy();
                last.Metadata()["resourceVersion"] = VersionedStore.Text(change.Version);
            }
            await stream.WriteAsync("DELETED", last, cancellationToken);
        }
    }

    private (IEnumerable<StoredObject> Initial, long Version, ChangeReader? Reader) Start(ApiCall call)
    {
        var asked = ReadEndpoint.ParseVersion(call.Query("resourceVersion"));
        var sendInitial = call.Query("sendInitialEvents");
        if (sendInitial is not null && call.Query("resourceVersionMatch") != "NotOlderThan")
        {
            throw ApiErrors.Invalid(
                new() { Group = "meta.k8s.io", Version = "v1", Kind = "ListOptions", Plural = "listoptions" },
                "",
                [FieldError.Forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")]);
        }
        if (asked is { } future && future > state.Store.Version)
        {
            throw ApiErrors.TooLargeVersion(future, state.Store.Version);
        }
        if (asked is > 0 && sendInitial != "true")
        {
            return ([], asked.Value, state.Store.ReadAfter(call.Type.Collection, asked.Value));
        }
        var (objects, version, reader) = state.Store.SnapshotAndRead(call.Type.Collection);
        return (sendInitial == "false" ? [] : objects.Values, version, reader);
    }

    /// <summary>Writes events in the form the client negotiated, one JSON object a line.</summary>
    private sealed class EventStream(ApiCall call, TimeProvider clock)
    {
        private bool _columnsSent;

        /// <summary>Sends the stored text itself where the client wants the object as it is stored.</summary>
        public Task WriteAsync(string eventType, StoredObject stored, CancellationToken cancellationToken) =>
            call.Form == AnswerForm.Objects && ObjectUpdate.Rendered(stored.Root, call.Type) == stored.Root
                ? WriteLineAsync(eventType, stored.Json, cancellationToken)
                : WriteAsync(eventType, stored.Root, cancellationToken);

        public Task WriteAsync(string eventType, JsonObject value, CancellationToken cancellationToken) =>
            WriteLineAsync(eventType, Shape(value), cancellationToken);

        public Task WriteErrorAsync(ApiException error, CancellationToken cancellationToken) =>
            WriteLineAsync("ERROR", error.ToStatus(), cancellationToken);

        public Task WriteBookmarkAsync(long version, bool initialEventsEnd, CancellationToken cancellationToken)
        {
            var metadata = new JsonObject { ["resourceVersion"] = VersionedStore.Text(version), ["creationTimestamp"] = null };
            if (initialEventsEnd)
            {
                metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
            }
            var value = call.Form == AnswerForm.Table
                ? TableWriter.Write(
                    call.Type, [], new JsonObject { ["resourceVersion"] = VersionedStore.Text(version) }, null, withColumns: false,
                    clock.GetUtcNow())
                : new JsonObject { ["kind"] = call.Type.Kind, ["apiVersion"] = call.Type.ApiVersion, ["metadata"] = metadata };
            return WriteLineAsync("BOOKMARK", value, cancellationToken);
        }

        private JsonObject Shape(JsonObject value)
        {
            var rendered = ObjectUpdate.Rendered(value, call.Type);
            switch (call.Form)
            {
                case AnswerForm.Table:
                    var table = TableWriter.Write(
                        call.Type, [rendered], new JsonObject { ["resourceVersion"] = value.Text("metadata", "resourceVersion") },
                        call.Query("includeObject"), !_columnsSent, clock.GetUtcNow());
                    _columnsSent = true;
                    return table;
                case AnswerForm.Metadata:
                    return TableWriter.PartialMetadata(rendered);
                default:
                    return rendered;
            }
        }

        private Task WriteLineAsync(string eventType, JsonObject value, CancellationToken cancellationToken) =>
            WriteLineAsync(eventType, JsonText.Serialize(value), cancellationToken);

        private async Task WriteLineAsync(string eventType, byte[] json, CancellationToken cancellationToken)
        {
            var body = call.Http.Response.Body;
            await body.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"{{\"type\":\"{eventType}\",\"object\":"), cancellationToken);
            await body.WriteAsync(json, cancellationToken);
            await body.WriteAsync("}\n"u8.ToArray(), cancellationToken);
        }
    }
}
