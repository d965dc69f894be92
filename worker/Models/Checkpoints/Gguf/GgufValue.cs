namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Where a value of the metadata is, which is read when somebody asks for it: a vocabulary has a quarter of a million
/// strings.</summary>
/// <param name="Type">Of the value, or of an array's elements.</param>
/// <param name="IsArray">Several values of the type lie one behind the other.</param>
/// <param name="Count">Of an array; 1 elsewhere.</param>
/// <param name="Offset">Byte of the file where it begins.</param>
internal readonly record struct GgufValue(GgufValueType Type, bool IsArray, int Count, int Offset)
{
    public override string ToString() => IsArray ? $"an array of {Count} {Type}" : $"a {Type}";
}
