using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Text;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Values;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>A method that is an instruction of PTX: <c>$0</c>, <c>$1</c>, … are its arguments' registers, or their values where they are
/// constants; <c>$r</c> is its result's. Of a struct <c>$1.0</c> is the first field, and <c>$r.0</c> of the result. Registered by
/// <see cref="IntrinsicTable"/>. ILGPU's own inline assembly hands results over through memory.</summary>
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
        var arguments = new string[call.Count][];
        for (var i = 0; i < arguments.Length; i++)
        {
            arguments[i] = call[i].Resolve() is PrimitiveValue constant ? [Spell(constant)] : Spell(generator, generator.Load(call[i]));
        }

        var result = call.Type.IsVoidType ? [] : Spell(generator, generator.Allocate(call));
        var line = new StringBuilder("\t");
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '$')
            {
                line.Append(text[i]);
                continue;
            }

            i++;
            var registers = text[i] == 'r' ? result : arguments[text[i] - '0'];
            var isField = i + 2 < text.Length && text[i + 1] == '.' && char.IsAsciiDigit(text[i + 2]);
            line.Append(registers[isField ? text[i + 2] - '0' : 0]);
            i += isField ? 2 : 0;
        }

        generator.Builder.Append(line).AppendLine();
    }

    /// <summary>The registers of a number, or of a struct's fields.</summary>
    private static string[] Spell(PTXCodeGenerator generator, RegisterAllocator<PTXRegisterKind>.Register register) => register switch
    {
        RegisterAllocator<PTXRegisterKind>.CompoundRegister fields =>
            [.. fields.Children.SelectMany(field => Spell(generator, field))],
        var one => [$"%{PTXRegisterAllocator.GetStringRepresentation(
            generator.EnsureHardwareRegister((RegisterAllocator<PTXRegisterKind>.PrimitiveRegister)one))}"],
    };

    private static string Spell(PrimitiveValue constant) => constant.BasicValueType == BasicValueType.Float32
        ? $"0f{BitConverter.SingleToUInt32Bits(constant.Float32Value):X8}"
        : constant.Int32Value.ToString(CultureInfo.InvariantCulture);
}
