using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Text;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.OpenCL;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Values;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>A method whose OpenCL C is a text: <c>$0</c>, <c>$1</c>, … are its arguments, <c>$r</c> is its result, already declared.
/// Registered by <see cref="IntrinsicTable"/>, one for each vendor.</summary>
internal sealed class ClTemplate : IntrinsicImplementation
{
    private static readonly ConcurrentDictionary<(MethodInfo Method, CLDeviceVendor Vendor), string> Texts = new();

    private static readonly MethodInfo Emitter =
        typeof(ClTemplate).GetMethod(nameof(Emit), BindingFlags.NonPublic | BindingFlags.Static)!;

    private readonly CLDeviceVendor _vendor;

    private ClTemplate(CLDeviceVendor vendor)
        : base(BackendType.OpenCL, Emitter, IntrinsicImplementationMode.GenerateCode) => _vendor = vendor;

    /// <summary>Of several registrations for a method, the last that takes the backend counts.</summary>
    public static void Register(IntrinsicImplementationManager manager, MethodInfo method, CLDeviceVendor vendor, string text)
    {
        Texts[(method, vendor)] = text;
        manager.RegisterMethod(method, new ClTemplate(vendor));
    }

    protected override bool CanHandleBackend(ILGPU.Backends.Backend backend) => backend is CLBackend cl && cl.Vendor == _vendor;

    private static void Emit(CLBackend backend, CLCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        var text = Texts[((MethodInfo)call.Target.Source, backend.Vendor)];
        string? result = null;
        if (!call.Type.IsVoidType)
        {
            var target = generator.Allocate(call);
            generator.Declare(target);
            result = target.ToString();
        }

        var line = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '$')
            {
                line.Append(text[i]);
                continue;
            }

            i++;
            line.Append(text[i] == 'r' ? result : Spell(generator.Load(call[text[i] - '0'])));
        }

        generator.AppendIndent();
        generator.Builder.Append(line).AppendLine();
    }

    private static string Spell(VariableAllocator.Variable variable)
    {
        if (variable is not VariableAllocator.ConstantVariable constant)
        {
            return variable.ToString()!;
        }

        var value = constant.Value;
        return value.BasicValueType == BasicValueType.Float32
            ? string.Create(CultureInfo.InvariantCulture, $"as_float(0x{BitConverter.SingleToUInt32Bits(value.Float32Value):x8}u)")
            : value.Int32Value.ToString(CultureInfo.InvariantCulture);
    }
}
