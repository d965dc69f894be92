namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>What to do with fields the schema does not know (<c>fieldValidation</c>).</summary>
internal enum FieldValidation
{
    Ignore,
    Warn,
    Strict,
}

/// <summary>The options of one write, and the warnings it gathers for the answer's headers.</summary>
internal sealed class WriteOptions
{
    public bool DryRun { get; init; }

    public Caller Caller { get; init; } = Caller.Administrator;

    /// <summary>Whom managedFields credits.</summary>
    public string FieldManager { get; init; } = "unknown";

    public FieldValidation Validation { get; init; } = FieldValidation.Warn;

    /// <summary>Take fields over from other managers (server-side apply).</summary>
    public bool Force { get; init; }

    /// <summary>A PATCH in any dialect, which has no precondition of its own.</summary>
    public bool IsPatch { get; init; }

    /// <summary>A PATCH by server-side apply.</summary>
    public bool IsApply { get; init; }

    /// <summary>Prints a strategic merge patch as Go does, for messages; null for anything else.</summary>
    public Func<string>? PatchText { get; init; }

    /// <summary>Members that occurred twice in the body, found while parsing it.</summary>
    public IReadOnlyList<string> DuplicateFields { get; init; } = [];

    public List<string> Warnings { get; } = [];

    /// <summary>For a write of the controllers that a cluster comes with; nobody reads its warnings.</summary>
    public static WriteOptions OfController() => new() { FieldManager = "kube-controller-manager", Validation = FieldValidation.Ignore };
}
