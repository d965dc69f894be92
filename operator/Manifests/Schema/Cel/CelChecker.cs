using System.Text.RegularExpressions;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>Finds what cannot work in an expression before it ever runs: unknown names, fields and functions, operands of types that never
/// fit. Called by <see cref="CelProgram"/>.</summary>
/// <remarks>What is only known at run time (<see cref="CelKind.Dyn"/>) passes, so it accepts no less than the real server does of what
/// <see cref="CelLibrary"/> knows.</remarks>
internal sealed class CelChecker
{
    private static readonly Dictionary<string, CelKind> TypeNames = new()
    {
        ["bool"] = CelKind.Bool,
        ["int"] = CelKind.Int,
        ["double"] = CelKind.Double,
        ["string"] = CelKind.Text,
        ["list"] = CelKind.List,
        ["map"] = CelKind.Map,
        ["null_type"] = CelKind.Null,
        ["type"] = CelKind.Type,
    };

    private readonly HashSet<string> _used = [];

    /// <summary>Variables of the environment that the expression reads.</summary>
    public IReadOnlySet<string> Used => _used;

    /// <summary>The kind that a type's name stands for where it is used as a value: <c>type(x) == int</c>.</summary>
    public static bool TryTypeName(string name, out CelKind kind) => TypeNames.TryGetValue(name, out kind);

    /// <exception cref="CelSyntaxException">It cannot work.</exception>
    public CelType Check(CelExpression expression, CelScope<CelType>? scope)
    {
        switch (expression)
        {
            case CelLiteral literal:
                return CelType.OfKind(CelValue.KindOf(literal.Value));
            case CelIdentifier identifier:
                return Identifier(identifier, scope);
            case CelSelect select:
                return Select(select, Check(select.Target, scope));
            case CelLogical logical:
                foreach (var term in logical.Terms)
                {
                    Require(Check(term, scope), CelType.Bool, logical.IsAnd ? "_&&_" : "_||_", term.Position);
                }
                return CelType.Bool;
            case CelConditional conditional:
                Require(Check(conditional.Condition, scope), CelType.Bool, "_?_:_", conditional.Position);
                return Common([Check(conditional.Then, scope), Check(conditional.Else, scope)], conditional.Position, "_?_:_");
            case CelListLiteral list:
                return CelType.ListOf(Common([.. list.Items.Select(item => Check(item, scope))], list.Position, null));
            case CelMapLiteral map:
                foreach (var (key, _) in map.Entries)
                {
                    Check(key, scope);
                }
                return CelType.MapOf(Common([.. map.Entries.Select(entry => Check(entry.Value, scope))], map.Position, null));
            case CelComprehension comprehension:
                return Comprehension(comprehension, scope);
            default:
                return Call((CelCall)expression, scope);
        }
    }

    private CelType Identifier(CelIdentifier identifier, CelScope<CelType>? scope)
    {
        if (CelScope<CelType>.TryFind(scope, identifier.Name, out var type))
        {
            _used.Add(identifier.Name);
            return type!;
        }
        return TypeNames.ContainsKey(identifier.Name)
            ? new CelType(CelKind.Type)
            : throw new CelSyntaxException($"undeclared reference to '{identifier.Name}' (in container '')", identifier.Position);
    }

    private static CelType Select(CelSelect select, CelType target)
    {
        var type = target.Kind switch
        {
            CelKind.Dyn => CelType.Dyn,
            CelKind.Map => target.ItemOrDyn,
            CelKind.Object => target.Fields!.GetValueOrDefault(select.Field)
                ?? throw new CelSyntaxException($"undefined field '{select.Field}'", select.Position),
            _ => throw new CelSyntaxException($"type '{target}' does not support field selection", select.Position),
        };
        return select.IsTest ? CelType.Bool : type;
    }

    private CelType Comprehension(CelComprehension comprehension, CelScope<CelType>? scope)
    {
        var range = Check(comprehension.Range, scope);
        var item = range.Kind switch
        {
            CelKind.List => range.ItemOrDyn,
            CelKind.Map => CelType.Text,
            CelKind.Dyn => CelType.Dyn,
            _ => throw new CelSyntaxException(
                $"expression of type '{range}' cannot be range of a comprehension (must be list, map, or dynamic)",
                comprehension.Range.Position),
        };
        var inner = new CelScope<CelType>(comprehension.Variable, item, scope);
        if (comprehension.Condition is { } condition)
        {
            Require(Check(condition, inner), CelType.Bool, comprehension.Macro == CelMacro.Exists ? "_||_" : "_&&_", condition.Position);
        }
        return comprehension.Macro switch
        {
            CelMacro.Map => CelType.ListOf(Check(comprehension.Transform!, inner)),
            CelMacro.Filter => CelType.ListOf(item),
            _ => CelType.Bool,
        };
    }

    private CelType Call(CelCall call, CelScope<CelType>? scope)
    {
        var types = call.Operands.Select(operand => Check(operand, scope)).ToList();
        if (call.IsOperator)
        {
            return Operator(call.Function, types) ?? throw NoOverload(call, types);
        }
        var named = CelLibrary.Named(call.Function);
        if (named.Count == 0)
        {
            throw new CelSyntaxException(
                $"undeclared reference to '{call.Function}' (in container ''): the local API server knows no such function", call.Position);
        }
        var fitting = named.Where(function => function.Takes(call.Function, call.Target is not null, [.. types.Select(type => type.Kind)]))
            .ToList();
        if (fitting.Count == 0)
        {
            throw NoOverload(call, types);
        }
        if (call is { Function: "matches", Arguments: [.., CelLiteral { Value: string pattern } literal] })
        {
            RequireRegex(pattern, literal.Position);
        }
        return call.Function is "value" or "orValue"
            ? types[0].ItemOrDyn
            : fitting.Count == 1 ? fitting[0].Result : fitting.All(f => f.Result == fitting[0].Result) ? fitting[0].Result : CelType.Dyn;
    }

    /// <returns>Null where no overload fits.</returns>
    private static CelType? Operator(string @operator, List<CelType> types)
    {
        var left = types[0];
        var right = types[^1];
        switch (@operator)
        {
            case "!_":
                return left.Fits(CelType.Bool) ? CelType.Bool : null;
            case "-_":
                return left.Kind is CelKind.Int or CelKind.Double or CelKind.Dyn ? left : null;
            case "_==_" or "_!=_":
                return left.Fits(right) ? CelType.Bool : null;
            case "_<_" or "_<=_" or "_>_" or "_>=_":
                return AreOrdered(left.Kind, right.Kind) ? CelType.Bool : null;
            case "@in":
                return right.Kind == CelKind.Dyn
                    || (right.Kind == CelKind.List && left.Fits(right.ItemOrDyn))
                    || (right.Kind == CelKind.Map && left.Fits(CelType.Text)) ? CelType.Bool : null;
            case "_[_]":
                return left.Kind == CelKind.Dyn ? CelType.Dyn
                    : (left.Kind == CelKind.List && right.Kind is CelKind.Int or CelKind.Dyn)
                        || (left.Kind == CelKind.Map && right.Kind is not CelKind.Null) ? left.ItemOrDyn
                    : null;
            default:
                return Arithmetic(@operator, left, right);
        }
    }

    private static CelType? Arithmetic(string @operator, CelType left, CelType right)
    {
        var known = left.Kind == CelKind.Dyn ? right : left;
        var allowed = known.Kind switch
        {
            CelKind.Dyn or CelKind.Int => true,
            CelKind.Double => @operator != "_%_",
            CelKind.Text or CelKind.List => @operator == "_+_",
            _ => false,
        };
        return allowed && left.Fits(right) && right.Kind != CelKind.Null ? known : null;
    }

    private static bool AreOrdered(CelKind left, CelKind right)
    {
        static bool IsNumber(CelKind kind) => kind is CelKind.Int or CelKind.Double;
        static bool HasOrder(CelKind kind) => kind is CelKind.Dyn or CelKind.Int or CelKind.Double or CelKind.Text or CelKind.Bool;
        return HasOrder(left)
            && HasOrder(right)
            && (left == right || left == CelKind.Dyn || right == CelKind.Dyn || (IsNumber(left) && IsNumber(right)));
    }

    /// <summary>The one type of all of them; Dyn where there are none or, for a list or map literal, where they differ.</summary>
    private static CelType Common(List<CelType> types, int position, string? @operator)
    {
        var known = types.Where(type => type.Kind is not (CelKind.Dyn or CelKind.Null)).ToList();
        if (known.Count == 0 || known.Count < types.Count)
        {
            return CelType.Dyn;
        }
        return known.All(known[0].Fits) ? known[0]
            : @operator is null ? CelType.Dyn
            : throw new CelSyntaxException(
                $"found no matching overload for '{@operator}' applied to '(bool, {string.Join(", ", types)})'", position);
    }

    private static void Require(CelType actual, CelType wanted, string @operator, int position)
    {
        if (!actual.Fits(wanted) || actual.Kind == CelKind.Null)
        {
            throw new CelSyntaxException($"expected type '{wanted}' but found '{actual}' as an operand of '{@operator}'", position);
        }
    }

    private static void RequireRegex(string pattern, int position)
    {
        try
        {
            _ = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw new CelSyntaxException($"invalid matches argument: {error.Message}", position);
        }
    }

    private static CelSyntaxException NoOverload(CelCall call, List<CelType> types) =>
        new(
            call.Target is null
                ? $"found no matching overload for '{call.Function}' applied to '({string.Join(", ", types)})'"
                : $"found no matching overload for '{call.Function}' applied to '{types[0]}.({string.Join(", ", types.Skip(1))})'",
            call.Position);
}
