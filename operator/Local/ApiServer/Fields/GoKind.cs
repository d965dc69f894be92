namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>What a field of a built-in kind holds, as far as reading it from JSON differs.</summary>
internal enum GoKind
{
    Struct,
    List,
    Map,
    Text,
    Boolean,
    Integer32,
    Integer64,
    Number,

    /// <summary>intstr.IntOrString: a string, or a number of 32 bits.</summary>
    IntOrString,

    /// <summary>resource.Quantity: a string, or a number.</summary>
    Quantity,

    /// <summary>metav1.Time or MicroTime: RFC 3339.</summary>
    Time,

    /// <summary>Base64.</summary>
    Bytes,

    /// <summary>Any JSON: runtime.RawExtension, metav1.FieldsV1 and the like.</summary>
    Any,
}
