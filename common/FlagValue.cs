namespace Cluster.Common;

/// <summary>What stands after a flag of the worker.</summary>
internal enum FlagValue
{
    /// <summary>Any text.</summary>
    Text,

    /// <summary>One of <see cref="WorkerFlag.Words"/>.</summary>
    Word,

    /// <summary>An integer from <see cref="WorkerFlag.Minimum"/> to <see cref="WorkerFlag.Maximum"/>.</summary>
    Integer,

    /// <summary>A number from <see cref="WorkerFlag.Minimum"/> to <see cref="WorkerFlag.Maximum"/>.</summary>
    Number,

    /// <summary><c>true</c> or <c>false</c>; the flag alone is <c>true</c>.</summary>
    Switch,
}
