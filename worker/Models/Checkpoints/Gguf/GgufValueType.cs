namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Types of metadata, by their numbers in the file.</summary>
internal enum GgufValueType
{
    UInt8,
    Int8,
    UInt16,
    Int16,
    UInt32,
    Int32,
    Float32,
    Boolean,
    Text,
    Array,
    UInt64,
    Int64,
    Float64,
}
