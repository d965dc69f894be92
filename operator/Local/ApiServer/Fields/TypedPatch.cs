using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Apply;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>The check that an applied configuration passes before it is merged: every field is declared and of its type, whatever
/// <c>fieldValidation</c> says (structured-merge-diff, typed/validate.go).</summary>
internal sealed class TypedPatch
{
    private readonly List<string> _problems = [];

    /// <exception cref="ApiException">A field is not declared, or holds something else than it should.</exception>
    public static void Check(JsonObject applied, ResourceType type)
    {
        var check = new TypedPatch();
        var root = type.Schema is { } schema ? new Declared(null, schema) : GoTypes.Of(type) is { } go ? new Declared(go, null) : null;
        if (root is null)
        {
            return;
        }

        check.Visit(applied, root, type.Shape, "", isResource: true);
        if (check._problems.Count == 0)
        {
            return;
        }

        var problems = check._problems.Count == 1 ? check._problems[0] : $"errors:\n  {string.Join("\n  ", check._problems)}";

        // A real server answers 500 here, without a reason; the words are its, and the fault is the client's.
        throw new ApiException(400, "", $"failed to create typed patch object ({Describe(applied, type)}): {problems}");
    }

    /// <summary>An object as the messages of apply name it.</summary>
    public static string Describe(JsonObject value, ResourceType type) =>
        $"{value.Namespace()}/{value.Name()}; {type.Group}/{type.Version}, Kind={type.Kind}";

    private void Visit(JsonNode? value, Declared type, FieldShape shape, string path, bool isResource = false)
    {
        switch (value)
        {
            case null:
                break;
            case JsonObject map when type.IsMap:
                foreach (var (name, child) in map)
                {
                    var below = type.Field(name, isResource);
                    if (below is null)
                    {
                        _problems.Add($"{path}.{name}: field not declared in schema");
                    }
                    else
                    {
                        Visit(child, below, shape.Field(name), $"{path}.{name}");
                    }
                }

                break;
            case JsonArray list when type.IsList:
                for (var i = 0; i < list.Count; i++)
                {
                    Visit(list[i], type.Item, shape.Item, $"{path}{FieldSet.Show(FieldPaths.ItemElement(list[i], i, shape))}");
                }

                break;
            default:
                if (type.Problem(value) is { } problem)
                {
                    _problems.Add($"{path}: {problem}");
                }

                break;
        }
    }

    /// <summary>What may be at a place: by a Go type, by a definition's schema, or anything where both are null.</summary>
    private sealed record Declared(GoType? Go, StructuralSchema? Schema)
    {
        private static readonly Declared Anything = new(null, null);

        private static readonly Declared Metadata = new(GoTypes.ObjectMeta, null);

        private static readonly Declared Text = new(new GoType(GoKind.Text, "string"), null);

        private bool IsAny => Go is null or { Kind: GoKind.Any } && (Schema is null || (Schema.Type is null && !Schema.IntOrString));

        public bool IsMap => IsAny || Go?.Kind is GoKind.Struct or GoKind.Map || Schema?.Type == "object";

        public bool IsList => IsAny || Go?.Kind == GoKind.List || Schema?.Type == "array";

        public Declared Item => Go?.Item is { } item ? new(item, null) : Schema?.Items is { } items ? new(null, items) : Anything;

        public Declared? Field(string name, bool isResource)
        {
            if (Schema is { } schema)
            {
                return isResource && name == "metadata" ? Metadata
                    : (isResource || schema.EmbeddedResource) && name is "apiVersion" or "kind" ? Text
                    : schema.EmbeddedResource && name == "metadata" ? Metadata
                    : schema.Properties.TryGetValue(name, out var child) ? new(null, child)
                    : schema.AdditionalProperties is { } additional ? new(null, additional)
                    : schema.PreserveUnknownFields || schema.AnyAdditionalProperties ? Anything
                    : null;
            }

            return Go switch
            {
                { Kind: GoKind.Struct } => Go.Fields.TryGetValue(name, out var field) ? new(field.Type, null) : null,
                { Kind: GoKind.Map } => Item,
                _ => Anything,
            };
        }

        public string? Problem(JsonNode value)
        {
            var kind = value.GetValueKind();
            var isText = kind == JsonValueKind.String;
            var isNumber = kind == JsonValueKind.Number;
            var isFlag = kind is JsonValueKind.True or JsonValueKind.False;
            return IsAny ? null
                : IsMap ? $"expected map, got &{{{GoText.Plain(value)}}}"
                : IsList ? $"expected list, got &{{{GoText.Plain(value)}}}"
                : Go?.Kind is GoKind.Integer32 or GoKind.Integer64 or GoKind.Number || Schema?.Type is "integer" or "number"
                    ? isNumber ? null : $"expected numeric (int or float), got {GoText.TypeOf(value)}"
                : Go?.Kind == GoKind.Boolean || Schema?.Type == "boolean"
                    ? isFlag ? null : $"expected boolean, got &{{{GoText.Plain(value)}}}"
                : Go?.Kind is GoKind.Text or GoKind.Bytes || (Schema?.Type == "string" && !Schema.IntOrString)
                    ? isText ? null : $"expected string, got &value.valueUnstructured{{Value:{GoText.Syntax(value)}}}"
                : isText || isNumber || isFlag ? null
                : $"expected any scalar, got &{{{GoText.Plain(value)}}}";
        }
    }
}
