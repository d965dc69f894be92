using System.Text.Json.Nodes;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>One compiled rule of <c>x-kubernetes-validations</c>. Compiled when its CRD is admitted, by <see cref="StructuralSchema"/>; run
/// by <see cref="CelValidator"/>.</summary>
/// <remarks>Source: apiextensions-apiserver, pkg/apis/apiextensions/validation and pkg/apiserver/schema/cel; Kubernetes documentation,
/// "Validation rules".</remarks>
internal sealed class CelRule
{
    private const string Self = "self";
    private const string OldSelf = "oldSelf";

    private static readonly string[] Reasons = ["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"];

    private readonly CelProgram _rule;
    private readonly CelProgram? _messageExpression;
    private readonly string _source;
    private readonly string? _message;
    private readonly string _reason;
    private readonly string _fieldPath;
    private readonly bool _optionalOldSelf;

    private CelRule(JsonNode? document, CelProgram rule, CelProgram? messageExpression, string fieldPath)
    {
        _rule = rule;
        _messageExpression = messageExpression;
        _fieldPath = fieldPath;
        _source = document.Text("rule")!.Trim();
        _message = document.Text("message")?.Trim();
        _reason = document.Text("reason") ?? Reasons[0];
        _optionalOldSelf = document.Flag("optionalOldSelf");
    }

    /// <summary>A transition rule: about the change, not about the value.</summary>
    public bool UsesOldSelf => _rule.Uses(OldSelf);

    /// <param name="path">Of the schema that has the rules.</param>
    /// <param name="isResource">The schema is of a whole object.</param>
    /// <param name="atomicParent">Path of the list whose items cannot be told apart between versions and that this schema is below of; null
    /// if there is none.</param>
    /// <param name="errors">Receives what is wrong with the rules; such rules are not returned.</param>
    public static IReadOnlyList<CelRule> Compile(
        StructuralSchema schema, string path, bool isResource, string? atomicParent, List<FieldError> errors)
    {
        var rules = new List<CelRule>();
        var self = CelType.Of(schema, isResource);
        var at = 0;
        foreach (var document in schema.Source.Items("x-kubernetes-validations"))
        {
            if (Compile(document, schema, self, $"{path}.x-kubernetes-validations[{at++}]", atomicParent, errors) is { } rule)
            {
                rules.Add(rule);
            }
        }
        return rules;
    }

    /// <param name="old">The value before, where there is one to compare with.</param>
    /// <returns>Null when the rule holds or does not apply.</returns>
    public FieldError? Check(JsonNode value, JsonNode? old, StructuralSchema schema, string path, CelBudget budget)
    {
        if (UsesOldSelf && old is null && !_optionalOldSelf)
        {
            return null;
        }
        var type = $"\"{schema.Type ?? StructuralSchema.KindOf(value)}\"";
        var before = old is null ? null : CelValue.Of(old, schema);
        (string, object?)[] variables =
        [
            (Self, CelValue.Of(value, schema)),
            (OldSelf, !_optionalOldSelf ? before : old is null ? CelOptional.None : new CelOptional(true, before)),
        ];
        try
        {
            return _rule.Run(budget.ForRule(), variables) is true
                ? null
                : Violation(
                    path.Length + _fieldPath.Length == 0 ? "<nil>" : (path + _fieldPath).TrimStart('.'), type, Explain(variables, budget));
        }
        catch (CelEvaluationException error)
        {
            var detail = error.Message.StartsWith("no such overload", StringComparison.Ordinal)
                ? $"'{error.Message}': call arguments did not match a supported operator, function or macro signature for rule: "
                    + $"{_message ?? _source}"
                : $"{error.Message} evaluating rule: {_message ?? _source}";
            return FieldError.Invalid(path.Length == 0 ? "<nil>" : path, type, detail);
        }
        catch (CelBudgetException error)
        {
            return FieldError.Invalid(
                path.Length == 0 ? "<nil>" : path, type,
                $"'{error.Message}': no further validation rules will be run due to call cost exceeds limit for rule: "
                + (_message ?? _source));
        }
    }

    private static CelRule? Compile(
        JsonNode? document, StructuralSchema schema, CelType self, string path, string? atomicParent, List<FieldError> errors)
    {
        var before = errors.Count;
        CheckTexts(document, path, errors);
        var fieldPath = "";
        if (document.Text("fieldPath") is { } stated)
        {
            var (resolved, problem) = CelFieldPath.Resolve(stated, schema);
            fieldPath = resolved ?? "";
            if (resolved is null)
            {
                errors.Add(FieldError.Invalid($"{path}.fieldPath", $"\"{stated}\"", problem));
            }
        }
        var old = document.Flag("optionalOldSelf") ? CelType.OptionalOf(self) : self;
        var rule = Program(document.Text("rule"), $"{path}.rule", CelType.Bool);
        var messageExpression = Program(document.Text("messageExpression"), $"{path}.messageExpression", CelType.Text);
        if (rule?.Uses(OldSelf) == true && atomicParent is not null)
        {
            errors.Add(
                FieldError.Invalid(
                    $"{path}.rule", $"\"{document.Text("rule")}\"",
                    $"oldSelf cannot be used on the uncorrelatable portion of the schema within {atomicParent}"));
        }
        return errors.Count == before ? new CelRule(document, rule!, messageExpression, fieldPath) : null;

        CelProgram? Program(string? source, string at, CelType wanted)
        {
            if (string.IsNullOrWhiteSpace(source))
            {
                return null;
            }
            try
            {
                return CelProgram.Compile(source, wanted, (Self, self), (OldSelf, old));
            }
            catch (CelSyntaxException error)
            {
                errors.Add(FieldError.Invalid(at, $"\"{source}\"", $"compilation failed: {error.Describe(source)}"));
                return null;
            }
        }
    }

    private static void CheckTexts(JsonNode? document, string path, List<FieldError> errors)
    {
        var (rule, message) = (document.Text("rule")?.Trim() ?? "", document.Text("message"));
        if (rule.Length == 0)
        {
            errors.Add(FieldError.Required(path, "rule is not specified"));
        }
        if (message is not null && message.Trim().Length == 0)
        {
            errors.Add(FieldError.Invalid($"{path}.message", $"\"{message}\"", "message must be non-empty if specified"));
        }
        else if (message?.Trim().Contains('\n') == true)
        {
            errors.Add(FieldError.Invalid($"{path}.message", $"\"{message}\"", "message must not contain line breaks"));
        }
        else if (message is null && rule.Contains('\n'))
        {
            errors.Add(FieldError.Required($"{path}.message", "message must be specified if rule contains line breaks"));
        }
        if (document.Text("messageExpression") is { } expression && expression.Trim().Length == 0)
        {
            errors.Add(FieldError.Required($"{path}.messageExpression", "must be non-empty if specified"));
        }
        if (document.Text("reason") is { } reason && !Reasons.Contains(reason))
        {
            errors.Add(FieldError.NotSupported($"{path}.reason", $"\"{reason}\"", Reasons.Select(r => $"\"{r}\"")));
        }
    }

    /// <summary>What the message expression says; the message where it fails, or says nothing or more than a line.</summary>
    private string Explain((string, object?)[] variables, CelBudget budget)
    {
        try
        {
            if (_messageExpression?.Run(budget.ForRule(), variables) is string text
                && text.Trim() is { Length: > 0 } said
                && !said.Contains('\n'))
            {
                return said;
            }
        }
        catch (CelEvaluationException)
        {
        }
        return _message ?? $"failed rule: {_source}";
    }

    private FieldError Violation(string path, string type, string detail) => _reason switch
    {
        "FieldValueForbidden" => FieldError.Forbidden(path, detail),
        "FieldValueRequired" => FieldError.Required(path, detail),
        "FieldValueDuplicate" => FieldError.Duplicate(path, type),
        _ => FieldError.Invalid(path, type, detail),
    };
}
