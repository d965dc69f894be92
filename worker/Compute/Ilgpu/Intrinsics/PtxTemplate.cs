using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Values;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>A method that is an instruction of PTX: <c>$0</c>, <c>$1</c>, … are its arguments' registers, <c>$r</c> is its result's.
/// Registered by <see cref="IntrinsicTable"/>. ILGPU's own inline assembly hands results over through memory.</summary>
internal static class PtxTemplate
{
    private static readonly ConcurrentDictionary<MethodInfo, string> Texts = new();

    public static void Register(IntrinsicImplementationManager manager, MethodInfo method, string text)
    {
        Texts[method] = text;
        manager.RegisterMethod(method, new PTXIntrinsic(typeof(PtxTemplate), nameof(Emit), IntrinsicImplementationMode.GenerateCode));
    }

    private static void Emit(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        var text = Texts[(MethodInfo)call.Target.Source];

        // Arguments before the result: allocating that must not move them.
        var arguments = new string[call.Count];
        for (var i = 0; i < arguments.Length; i++)
        {
            arguments[i] = Spell(generator, call[i]);
        }

        var result = $"%{PTXRegisterAllocator.GetStringRepresentation(generator.AllocateHardware(call))}";
        var line = new StringBuilder("\t");
        for (var i = 0; i < text.Length; i++)
        {
            line.Append(text[i] != '$' ? text[i..(i + 1)] : text[++i] == 'r' ? result : arguments[text[i] - '0']);
        }

        generator.Builder.Append(line).AppendLine();
    }

    private static string Spell(PTXCodeGenerator generator, Value argument) => argument.Resolve() is PrimitiveValue constant
        ? $"0f{BitConverter.SingleToUInt32Bits(constant.Float32Value):X8}"
        : $"%{PTXRegisterAllocator.GetStringRepresentation(generator.LoadHardware(argument))}";
}
