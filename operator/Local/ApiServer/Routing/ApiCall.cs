using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Selectors;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Local.ApiServer.Tables;
using Cluster.Operator.Local.ApiServer.Writing;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>One request on a resource: its parsed path and query, and how its answer is written.</summary>
internal sealed class ApiCall(HttpContext http, RequestPath path, ResourceType type, Caller caller)
{
    public HttpContext Http { get; } = http;

    public RequestPath Path { get; } = path;

    public ResourceType Type { get; } = type;

    public ObjectKey Key => new(Path.Namespace ?? "", Path.Name ?? "");

    /// <exception cref="ApiException">406: the client wants a form that is not spoken.</exception>
    public AnswerForm Form => _form ??= AnswerFormat.Negotiate(Http.Request.Headers.Accept);

    private AnswerForm? _form;

    public CancellationToken Aborted => Http.RequestAborted;

    public string? Query(string name) => Http.Request.Query[name] is [{ Length: > 0 } value, ..] ? value : null;

    public bool Flag(string name) => Query(name) is "true" or "1" or "True";

    /// <summary>Which objects of the collection the request is about.</summary>
    public Func<JsonObject, bool> Selection()
    {
        var labels = LabelSelector.Parse(Query("labelSelector"));
        var fields = FieldSelector.Parse(Query("fieldSelector"), Type.SelectableFields);
        return value => (Path.Namespace is null || value.Namespace() == Path.Namespace)
            && (Path.Name is null || value.Name() == Path.Name)
            && labels.Matches(value)
            && fields.Matches(value);
    }

    public bool HasSelector => Query("labelSelector") is not null || Query("fieldSelector") is not null;

    /// <exception cref="ApiException">422 for an unknown dryRun or fieldValidation, or apply without a manager.</exception>
    public WriteOptions WriteOptions(RequestBody body)
    {
        var isApply = body.MediaType == ObjectPatch.Apply;
        var errors = new List<FieldError>();
        if (Query("dryRun") is { } dryRun and not "All")
        {
            errors.Add(FieldError.NotSupported("dryRun", $"\"{dryRun}\"", ["\"All\""]));
        }
        var validation = FieldValidation.Warn;
        if (Query("fieldValidation") is { } text && (!Enum.TryParse(text, out validation) || !Enum.IsDefined(validation)))
        {
            errors.Add(FieldError.NotSupported("fieldValidation", $"\"{text}\"", ["\"\"", "\"Ignore\"", "\"Strict\"", "\"Warn\""]));
        }
        if (isApply && Query("fieldManager") is null)
        {
            errors.Add(FieldError.Required("fieldManager", "is required for apply patch"));
        }
        if (!isApply && Query("force") is not null && HttpMethods.IsPatch(Http.Request.Method))
        {
            errors.Add(FieldError.Forbidden("force", "may not be specified for non-apply patch"));
        }
        if (Query("fieldManager") is { Length: > Apply.ManagedEntry.MaxManagerLength })
        {
            errors.Add(FieldError.TooLong("fieldManager", Apply.ManagedEntry.MaxManagerLength));
        }
        if (errors.Count > 0)
        {
            throw ApiErrors.Invalid(OptionsType, "", errors);
        }
        return new WriteOptions
        {
            Caller = caller,
            DryRun = Query("dryRun") is not null,
            FieldManager = Query("fieldManager") ?? UserAgentManager(),
            Validation = validation,
            Force = Flag("force"),
            IsPatch = HttpMethods.IsPatch(Http.Request.Method),
            IsApply = isApply,
            PatchText = body.MediaType == ObjectPatch.Strategic ? () => Fields.GoText.Plain(body.Value) : null,
            DuplicateFields = body.Duplicates,
        };
    }

    /// <summary>Writes one object in the form the client asked for.</summary>
    public async Task AnswerAsync(JsonObject value, DateTimeOffset now, int status = 200, IEnumerable<string>? warnings = null)
    {
        // A text with control characters fits in no header; a real server leaves it out as well.
        foreach (var warning in (warnings ?? []).Where(text => !text.Any(char.IsControl)))
        {
            Http.Response.Headers.Append(
                "Warning",
                $"299 - \"{warning.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"");
        }
        var rendered = ObjectUpdate.Rendered(value, Type);
        var answer = Form switch
        {
            AnswerForm.Table
                when value.Text("kind") == Type.Kind => TableWriter.Write(
                    Type, [rendered], new JsonObject { ["resourceVersion"] = value.Text("metadata", "resourceVersion") },
                    Query("includeObject"), withColumns: true, now),
            AnswerForm.Metadata when value.Text("kind") == Type.Kind => TableWriter.PartialMetadata(rendered),
            _ => rendered,
        };
        await Answers.WriteAsync(Http, status, answer);
    }

    private static ResourceType OptionsType { get; } = new()
    {
        Group = "meta.k8s.io",
        Version = "v1",
        Kind = "PatchOptions",
        Plural = "patchoptions"
    };

    private string UserAgentManager()
    {
        var agent = Http.Request.Headers.UserAgent.ToString().Split('/')[0];
        return agent.Length == 0 ? "unknown" : agent[..Math.Min(agent.Length, Apply.ManagedEntry.MaxManagerLength)];
    }
}
