using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Local.ApiServer.Writing;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>POST, PUT, PATCH and DELETE of objects and their status.</summary>
internal sealed class WriteEndpoint(
    ApiState state, ObjectCreation creation, ObjectUpdate update, ObjectPatch patch, ObjectDeletion deletion, long bodyLimitBytes)
{
    public async Task CreateAsync(ApiCall call)
    {
        if (call.Type.Namespaced && call.Path.Namespace is null)
        {
            throw ApiErrors.MethodNotAllowed();
        }
        RefuseUnsupported(call.Type, "");
        var body = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
        var options = call.WriteOptions(body);
        var created = creation.Create(call.Type, call.Path.Namespace ?? "", body.Value, options);
        Notify(call.Type, options);
        await call.AnswerAsync(created, Now, 201, options.Warnings);
    }

    public async Task UpdateAsync(ApiCall call)
    {
        var body = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
        var options = call.WriteOptions(body);
        var wanted = Admission.RequireKind(body.Value, call.Type);
        await call.AnswerAsync(update.Update(call.Type, call.Key, call.Path.Subresource, _ => wanted, options), Now, 200, options.Warnings);
    }

    public async Task PatchAsync(ApiCall call)
    {
        RefuseUnsupported(call.Type, call.Key.Name);
        var body = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
        var options = call.WriteOptions(body);
        var (value, created) = patch.Patch(call.Type, call.Key, call.Path.Subresource, body.MediaType, body.Value, options);
        if (created)
        {
            Notify(call.Type, options);
        }

        await call.AnswerAsync(value, Now, created ? 201 : 200, options.Warnings);
    }

    public async Task DeleteAsync(ApiCall call)
    {
        var body = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
        var options = DeleteOptions.Parse(body.Value, call.Query);
        var (value, gone) = deletion.Delete(call.Type, call.Key, options);
        if (gone && call.Type is not { Group: "", Plural: "pods" })
        {
            await Answers.WriteAsync(call.Http, 200, Success(call.Type, value));
            return;
        }
        await call.AnswerAsync(value, Now);
    }

    public async Task DeleteCollectionAsync(ApiCall call)
    {
        var body = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
        var options = DeleteOptions.Parse(body.Value, call.Query);
        var matches = call.Selection();
        var deleted = new JsonArray();
        foreach (var stored in state.Store.Snapshot(call.Type.Collection).Objects.Values.Where(stored => matches(stored.Root)))
        {
            try
            {
                deleted.Add(deletion.Delete(call.Type, stored.Key, options).Value.DeepClone());
            }
            catch (ApiException error) when (error.Code == StatusCodes.Status404NotFound)
            {
                // Somebody else was faster, which is as good.
            }
        }
        await Answers.WriteAsync(call.Http, 200, new JsonObject
        {
            ["kind"] = call.Type.ListKind,
            ["apiVersion"] = call.Type.ApiVersion,
            ["metadata"] = new JsonObject { ["resourceVersion"] = VersionedStore.Text(state.Store.Version) },
            ["items"] = deleted,
        });
    }

    // Before the body is read, which may be in a format that is not read for this kind.
    private static void RefuseUnsupported(ResourceType type, string name)
    {
        if (type.Refusal is { } why)
        {
            throw ApiErrors.Forbidden(type, name, why);
        }
    }

    private static void Notify(ResourceType type, WriteOptions options)
    {
        if (type.Notice is { } notice)
        {
            options.Warnings.Add(notice);
        }
    }

    private DateTimeOffset Now => state.Clock.GetUtcNow();

    internal static JsonObject Success(ResourceType type, JsonObject value)
    {
        var details = new JsonObject { ["name"] = value.Name(), ["kind"] = type.Plural, ["uid"] = value.Uid() };
        if (type.Group.Length > 0)
        {
            details["group"] = type.Group;
        }
        return new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Success",
            ["details"] = details
        };
    }
}
