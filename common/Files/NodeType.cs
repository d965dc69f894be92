namespace Cluster.Common.Files;

/// <summary>What stands under a path.</summary>
internal enum NodeType
{
    Other,
    Regular,
    Folder,
    Link,
    CharacterDevice,
    BlockDevice,
    Pipe,
    Socket,
}
