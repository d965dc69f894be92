namespace Cluster.Worker.Compute.Collectives;

/// <summary><c>ncclDataType_t</c> of nccl.h, as far as it is used.</summary>
internal enum NcclDataType
{
    UInt8 = 1,
    Float32 = 7,
}
