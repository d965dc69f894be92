using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests.Schema.Cel;

namespace Cluster.Operator.Manifests.Schema;

/// <summary>Checks a custom resource against its <see cref="StructuralSchema"/>. Errors are worded as kube-openapi and
/// apiextensions-apiserver word them.</summary>
internal static class SchemaValidator
{
    // One broken document must not produce an unbounded answer.
    private const int MaxErrors = 100;

    // Of a document this wrong, rules could not be evaluated, or would repeat what has been said.
    private static readonly HashSet<string> Blocking = [
        "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"];

    /// <param name="old">Null on creation; transition rules compare with it.</param>
    /// <param name="warnings">Receives rules that an unchanged value goes on breaking.</param>
    public static List<FieldError> Validate(JsonObject value, JsonObject? old, StructuralSchema schema, List<string> warnings)
    {
        var errors = new List<FieldError>();
        Check(value, schema, "", errors, checkType: true, isRoot: true);
        if (schema.HasRules)
        {
            errors.AddRange(errors.Any(error => Blocking.Contains(error.Reason))
                ? [FieldError.Invalid(
                    "<nil>", "null",
                    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
                    + "validation")]
                : CelValidator.Validate(value, old, schema, warnings));
        }
        return errors;
    }

    private static void Check(
        JsonNode? value, StructuralSchema schema, string path, List<FieldError> errors, bool checkType, bool isRoot = false)
    {
        if (errors.Count >= MaxErrors || (value is null && schema.Nullable))
        {
            return;
        }
        var kind = StructuralSchema.KindOf(value);
        if (checkType && !TypeMatches(kind, schema))
        {
            var expected = schema.IntOrString ? "integer,string" : schema.Type;
            errors.Add(FieldError.TypeInvalid(path, $"\"{kind}\"", $"{path} in body must be of type {expected}: \"{kind}\""));
            return;
        }
        switch (value)
        {
            case JsonObject map:
                CheckObject(map, schema, path, errors, isRoot);
                break;
            case JsonArray list:
                CheckArray(list, schema, path, errors);
                break;
            case not null when kind == "string":
                CheckString(value.Text()!, schema, path, errors);
                break;
            case not null when kind is "integer" or "number":
                CheckNumber(value, schema, path, errors);
                break;
        }
        if (schema.Enum is { } allowed && !allowed.Any(option => JsonNode.DeepEquals(option, value)))
        {
            errors.Add(FieldError.NotSupported(path, Show(value), allowed.Select(Show)));
        }
        CheckJunctors(value, schema, path, errors);
    }

    private static bool TypeMatches(string kind, StructuralSchema schema) =>
        schema.IntOrString ? kind is "integer" or "string"
        : schema.Type is null || schema.Type == kind || (schema.Type == "number" && kind == "integer");

    private static void CheckObject(JsonObject map, StructuralSchema schema, string path, List<FieldError> errors, bool isRoot)
    {
        foreach (var name in schema.Required)
        {
            if (!map.ContainsKey(name))
            {
                errors.Add(FieldError.Required(Join(path, name)));
            }
        }
        if (schema.MinProperties is { } min && map.Count < min)
        {
            errors.Add(FieldError.Invalid(path, JsonText.ToText(map), $"{path} in body should have at least {min} properties"));
        }
        if (schema.MaxProperties is { } max && map.Count > max)
        {
            errors.Add(FieldError.TooMany(path, map.Count, max));
        }
        foreach (var (name, child) in map)
        {
            // The server owns these; a CRD's own rules for them are not consulted.
            if (isRoot && name is "metadata" or "apiVersion" or "kind" && isRoot)
            {
                continue;
            }
            var childSchema = schema.Properties.GetValueOrDefault(name) ?? schema.AdditionalProperties;
            if (childSchema is not null)
            {
                Check(child, childSchema, Join(path, name), errors, checkType: true);
            }
        }
    }

    private static void CheckArray(JsonArray list, StructuralSchema schema, string path, List<FieldError> errors)
    {
        if (schema.MinItems is { } min && list.Count < min)
        {
            errors.Add(
                FieldError.Invalid(
                    path, list.Count.ToString(CultureInfo.InvariantCulture), $"{path} in body should have at least {min} items"));
        }
        if (schema.MaxItems is { } max && list.Count > max)
        {
            errors.Add(FieldError.TooMany(path, list.Count, max));
            return;
        }
        if (schema.Items is { } itemSchema)
        {
            for (var i = 0; i < list.Count; i++)
            {
                Check(list[i], itemSchema, $"{path}[{i}]", errors, checkType: true);
            }
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        if (schema.ListType == "set" || schema.UniqueItems)
        {
            for (var i = 0; i < list.Count; i++)
            {
                if (!seen.Add(JsonText.ToText(list[i])))
                {
                    errors.Add(FieldError.Duplicate($"{path}[{i}]", Show(list[i])));
                }
            }
        }
        else if (schema.ListType == "map")
        {
            for (var i = 0; i < list.Count; i++)
            {
                if (list[i] is not JsonObject item)
                {
                    continue;
                }
                var keys = new JsonObject();
                foreach (var key in schema.ListMapKeys.Order(StringComparer.Ordinal))
                {
                    keys[key] = item[key]?.DeepClone();
                }
                if (!seen.Add(JsonText.ToText(keys)))
                {
                    errors.Add(FieldError.Duplicate($"{path}[{i}]", $"map[string]interface {{}}{JsonText.ToText(keys)}"));
                }
            }
        }
    }

    private static void CheckString(string text, StructuralSchema schema, string path, List<FieldError> errors)
    {
        var length = new StringInfo(text).LengthInTextElements;
        if (schema.MinLength is { } min && length < min)
        {
            errors.Add(FieldError.Invalid(path, $"\"{text}\"", $"{path} in body should be at least {min} chars long"));
        }
        if (schema.MaxLength is { } max && length > max)
        {
            errors.Add(FieldError.TooLong(path, max));
        }
        if (schema.Pattern is { } pattern && !pattern.IsMatch(text))
        {
            errors.Add(FieldError.Invalid(path, $"\"{text}\"", $"{path} in body should match '{pattern}'"));
        }
        if (schema.Format == "date-time" && !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
        {
            errors.Add(FieldError.Invalid(path, $"\"{text}\"", $"{path} in body must be of type date-time: \"{text}\""));
        }
    }

    private static double? Truncated(double? bound) => bound is { } value ? Math.Truncate(value) : null;

    private static void CheckNumber(JsonNode value, StructuralSchema schema, string path, List<FieldError> errors)
    {
        var number = value.AsNumber()!.Value;

        // As kube-openapi does: beside a value without a fraction, a bound's fraction is dropped.
        var whole = value is JsonValue literal && literal.TryGetValue(out long _);
        if ((whole ? Truncated(schema.Minimum) : schema.Minimum) is { } min && (schema.ExclusiveMinimum ? number <= min : number < min))
        {
            errors.Add(
                FieldError.Invalid(
                    path, Show(value),
                    $"{path} in body should be greater than {(schema.ExclusiveMinimum ? "" : "or equal to ")}{Number(min)}"));
        }
        if ((whole ? Truncated(schema.Maximum) : schema.Maximum) is { } max && (schema.ExclusiveMaximum ? number >= max : number > max))
        {
            errors.Add(
                FieldError.Invalid(
                    path, Show(value),
                    $"{path} in body should be less than {(schema.ExclusiveMaximum ? "" : "or equal to ")}{Number(max)}"));
        }
        if (schema.MultipleOf is { } step && Math.IEEERemainder(number, step) != 0)
        {
            errors.Add(FieldError.Invalid(path, Show(value), $"{path} in body should be a multiple of {Number(step)}"));
        }
        if (schema.Format == "int32" && schema.Type == "integer" && number is < int.MinValue or > int.MaxValue)
        {
            errors.Add(FieldError.Invalid(path, Show(value), $"{path} in body must be of type int32: \"{Show(value)}\""));
        }
    }

    private static void CheckJunctors(JsonNode? value, StructuralSchema schema, string path, List<FieldError> errors)
    {
        foreach (var all in schema.AllOf)
        {
            Check(value, all, path, errors, checkType: true);
        }
        if (schema.AnyOf.Count > 0 && !schema.AnyOf.Any(option => Passes(value, option, path)))
        {
            errors.Add(FieldError.Invalid(path, Show(value), $"{path} in body must validate at least one schema (anyOf)"));
        }
        if (schema.OneOf.Count > 0 && schema.OneOf.Count(option => Passes(value, option, path)) != 1)
        {
            errors.Add(FieldError.Invalid(path, Show(value), $"{path} in body must validate one and only one schema (oneOf)"));
        }
        if (schema.Not is { } not && Passes(value, not, path))
        {
            errors.Add(FieldError.Invalid(path, Show(value), $"{path} in body must not validate the schema (not)"));
        }
    }

    private static bool Passes(JsonNode? value, StructuralSchema schema, string path)
    {
        var errors = new List<FieldError>();
        Check(value, schema, path, errors, checkType: true);
        return errors.Count == 0;
    }

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string Show(JsonNode? value) =>
        value?.GetValueKind() == JsonValueKind.String ? $"\"{value.Text()}\"" : JsonText.ToText(value);
}
