namespace Cluster.Common.Files;

/// <summary>The parts of a file that <see cref="FileMounts"/> shows as files of their own.</summary>
internal interface IMountedFiles
{
    /// <summary>Plain names.</summary>
    IReadOnlySet<string> Names { get; }

    /// <summary>The part of a name that is among <see cref="Names"/>.</summary>
    byte[] Read(string name);
}
