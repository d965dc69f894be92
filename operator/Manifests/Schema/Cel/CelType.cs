namespace Cluster.Operator.Manifests.Schema.Cel;

internal enum CelKind
{
    /// <summary>Known only when evaluated: int-or-string fields, empty lists.</summary>
    Dyn,
    Null,
    Bool,
    Int,
    Double,
    Text,
    List,
    Map,

    /// <summary>An object with declared properties: has fields, is no map.</summary>
    Object,
    Type,
    Optional,
}

/// <summary>The static type of an expression, as far as <see cref="CelChecker"/> follows types: kinds, the items of lists and maps, and
/// schemas of objects.</summary>
/// <param name="Item">Of a list its items, of a map its values, of an optional its value.</param>
/// <param name="Fields">Of an object, by escaped name.</param>
internal sealed record CelType(CelKind Kind, CelType? Item = null, IReadOnlyDictionary<string, CelType>? Fields = null)
{
    public static CelType Dyn { get; } = new(CelKind.Dyn);

    public static CelType Null { get; } = new(CelKind.Null);

    public static CelType Bool { get; } = new(CelKind.Bool);

    public static CelType Int { get; } = new(CelKind.Int);

    public static CelType Double { get; } = new(CelKind.Double);

    public static CelType Text { get; } = new(CelKind.Text);

    public CelType ItemOrDyn => Item ?? Dyn;

    public static CelType ListOf(CelType item) => new(CelKind.List, item);

    public static CelType MapOf(CelType value) => new(CelKind.Map, value);

    public static CelType OptionalOf(CelType value) => new(CelKind.Optional, value);

    public static CelType OfKind(CelKind kind) => kind switch
    {
        CelKind.List => ListOf(Dyn),
        CelKind.Map => MapOf(Dyn),
        CelKind.Optional => OptionalOf(Dyn),
        _ => new CelType(kind),
    };

    /// <param name="isResource">The schema is of a whole object: kind and name can be read although no schema declares them.</param>
    public static CelType Of(StructuralSchema schema, bool isResource)
    {
        if (schema.IntOrString)
        {
            return Dyn;
        }
        return schema.Type switch
        {
            "boolean" => Bool,
            "integer" => Int,
            "number" => Double,
            "string" => Text,
            "array" => ListOf(schema.Items is { } items ? Of(items, items.EmbeddedResource) : Dyn),
            "object" when schema.AdditionalProperties is { } values => MapOf(Of(values, values.EmbeddedResource)),
            "object" => OfObject(schema, isResource || schema.EmbeddedResource),
            _ => Dyn,
        };
    }

    public bool Fits(CelType other)
    {
        if (Kind == CelKind.Dyn || other.Kind == CelKind.Dyn || Kind == CelKind.Null || other.Kind == CelKind.Null)
        {
            return true;
        }
        return Kind == other.Kind && (Item is null || other.Item is null || Item.Fits(other.Item));
    }

    public override string ToString() => Kind switch
    {
        CelKind.Text => "string",
        CelKind.List => $"list({ItemOrDyn})",
        CelKind.Map => $"map(string, {ItemOrDyn})",
        CelKind.Optional => $"optional_type({ItemOrDyn})",
        _ => Kind.ToString().ToLowerInvariant(),
    };

    private static CelType OfObject(StructuralSchema schema, bool isResource)
    {
        var fields = new Dictionary<string, CelType>();
        foreach (var (name, child) in schema.Properties)
        {
            if (CelNames.Escape(name) is { } escaped)
            {
                fields[escaped] = Of(child, child.EmbeddedResource);
            }
        }
        if (isResource)
        {
            fields["apiVersion"] = Text;
            fields["kind"] = Text;
            fields["metadata"] = new CelType(
                CelKind.Object, Fields: new Dictionary<string, CelType> { ["name"] = Text, ["generateName"] = Text });
        }
        return new CelType(CelKind.Object, Fields: fields);
    }
}
