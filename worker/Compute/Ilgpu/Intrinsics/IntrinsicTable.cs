using System.Reflection;
using ILGPU;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.IR.Intrinsics;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>What each kind of device runs for the methods marked as intrinsics. Added to a context before anything is compiled.</summary>
internal static class IntrinsicTable
{
    private static readonly CLDeviceVendor[] Vendors =
        [CLDeviceVendor.AMD, CLDeviceVendor.Nvidia, CLDeviceVendor.Intel, CLDeviceVendor.Other];

    public static Context.Builder AddIntrinsics(this Context.Builder builder)
    {
        var manager = ILGPU.IR.IRContextExtensions.GetIntrinsicManager(builder);
        RedirectToPortable(manager);
        PtxTemplate.Register(manager, Of(Native.Fma), "fma.rn.f32 $r, $0, $1, $2;");

        // From sm_80 on; kernels that call them are for such devices.
        PtxTemplate.Register(manager, Of(WarpMatrix.MultiplyAddBF16), WarpMultiplyAdd("bf16"));
        PtxTemplate.Register(manager, Of(WarpMatrix.MultiplyAddF16), WarpMultiplyAdd("f16"));
        PtxTemplate.Register(manager, Of(WarpMatrix.Exchange), "shfl.sync.bfly.b32 $r, $0, $1, 31, 0xffffffff;");
        PtxTemplate.Register(manager, Of(WarpMatrix.NeedsGroup), "mov.u32 $r, 0;");
        PtxTemplate.Register(manager, Of(Native.ToBF16Pair), "cvt.rn.bf16x2.f32 $r, $1, $0;");
        PtxTemplate.Register(manager, Of(Native.ToF16Pair), "cvt.rn.f16x2.f32 $r, $1, $0;");
        PtxTemplate.Register(manager, Of(Native.ByteOnTop), "prmt.b32 $r, $0, 0, 0x$1444;");
        PtxTemplate.Register(manager, Of(Native.ByteBehind), "prmt.b32 $r, $0, $2, 0x765$1;");
        PtxTemplate.Register(manager, Of(Native.MaskOr), "lop3.b32 $r, $0, $1, $2, 0xEA;");

        // With 1 or −0, because sm_80 has no other arithmetic of bf16. No operand may be a constant.
        PtxTemplate.Register(manager, Of(Native.AddBF16Pairs), "mov.b32 $r, 0x3f803f80;\n\tfma.rn.bf16x2 $r, $0, $r, $1;");
        PtxTemplate.Register(manager, Of(Native.AddF16Pairs), "mov.b32 $r, 0x3c003c00;\n\tfma.rn.f16x2 $r, $0, $r, $1;");
        PtxTemplate.Register(manager, Of(Native.MultiplyBF16Pairs), "mov.b32 $r, 0x80008000;\n\tfma.rn.bf16x2 $r, $0, $1, $r;");
        PtxTemplate.Register(manager, Of(Native.MultiplyF16Pairs), "mov.b32 $r, 0x80008000;\n\tfma.rn.f16x2 $r, $0, $1, $r;");
        PtxTemplate.Register(manager, OfCopy(nameof(AsyncCopy.Begin)), "cp.async.cg.shared.global [$0], [$1], 16;");
        PtxTemplate.Register(manager, OfCopy(nameof(AsyncCopy.Close)), "cp.async.commit_group;");
        PtxTemplate.Register(manager, OfCopy(nameof(AsyncCopy.Await)), "cp.async.wait_group $0;");
        PtxTemplate.Register(
            manager, typeof(Guarded).GetMethod(nameof(Guarded.Read))!,
            "mov.b32 $r.0, 0;\n\tmov.b32 $r.1, 0;\n\tmov.b32 $r.2, 0;\n\tmov.b32 $r.3, 0;\n\t"
            + "@$1 ld.global.v4.b32 {$r.0, $r.1, $r.2, $r.3}, [$0];");
        PtxTemplate.Register(manager, Of(Guarded.Within), "mov.b64 $r, $0;");
        foreach (var vendor in Vendors)
        {
            ClTemplate.Register(manager, Of(Native.Fma), vendor, "$r = fma($0, $1, $2);");
        }

        // One instruction each, which rounds to nearest and knows subnormals, as HSA sets the mode of 16 bits.
        ClTemplate.Register(manager, Of(Native.FromF16), CLDeviceVendor.AMD, "$r = (float)__builtin_astype((ushort)($0), half);");
        ClTemplate.Register(manager, Of(Native.ToF16), CLDeviceVendor.AMD, "$r = (uint)__builtin_astype((half)($0), ushort);");
        ClTemplate.Register(manager, Of(Wave.MaxOfSharers), CLDeviceVendor.AMD, OverSharers("fmax({0}, {1})"));
        ClTemplate.Register(manager, Of(Wave.SumOfSharers), CLDeviceVendor.AMD, OverSharers("{0} + {1}"));
        ClTemplate.Register(manager, Of(Wave.Sum), CLDeviceVendor.AMD, Butterfly("{0} + {1}"));
        ClTemplate.Register(manager, Of(Wave.Max), CLDeviceVendor.AMD, Butterfly("fmax({0}, {1})"));
        ClTemplate.Register(
            manager, Of(MatrixCore.MultiplyAdd), CLDeviceVendor.AMD,
            "{ float4 d = __builtin_amdgcn_mfma_f32_16x16x4f32($0, $1, (float4)($2.field_0, $2.field_1, $2.field_2, $2.field_3), 0, 0, 0); "
            + "$r.field_0 = d.x; $r.field_1 = d.y; $r.field_2 = d.z; $r.field_3 = d.w; }");
        ClTemplate.Register(
            manager, Of(MatrixCore.MultiplyAddBF16), CLDeviceVendor.AMD, HalfMultiplyAdd("16x16x16bf16_1k", "short4"));
        ClTemplate.Register(manager, Of(MatrixCore.MultiplyAddF16), CLDeviceVendor.AMD, HalfMultiplyAdd("16x16x16f16", "half4"));
        return builder;
    }

    private static string HalfMultiplyAdd(string shape, string type) =>
        $"{{ float4 d = __builtin_amdgcn_mfma_f32_{shape}(__builtin_astype((uint2)($0, $1), {type}), "
        + $"__builtin_astype((uint2)($2, $3), {type}), (float4)($4.field_0, $4.field_1, $4.field_2, $4.field_3), 0, 0, 0); "
        + "$r.field_0 = d.x; $r.field_1 = d.y; $r.field_2 = d.z; $r.field_3 = d.w; }";

    /// <summary>Devices of any kind run the portable twin of a method; a template registered later for one goes before. A multiply-add has
    /// no twin: all have an instruction.</summary>
    private static void RedirectToPortable(IntrinsicImplementationManager manager)
    {
        Type[] types = [typeof(Wave), typeof(MatrixCore), typeof(WarpMatrix), typeof(AsyncCopy), typeof(Guarded), typeof(Native)];
        foreach (var method in types.SelectMany(type => type.GetMethods()))
        {
            if (method.IsDefined(typeof(IntrinsicImplementationAttribute)) && method.Name != nameof(Native.Fma))
            {
                var (type, twin) = (method.DeclaringType!, $"Portable{method.Name}");
                manager.RegisterMethod(method, new CLIntrinsic(type, twin, IntrinsicImplementationMode.Redirect));
                manager.RegisterMethod(method, new PTXIntrinsic(type, twin, IntrinsicImplementationMode.Redirect));
            }
        }
    }

    private static MethodInfo Of(Delegate method) => method.Method;

    private static MethodInfo OfCopy(string name) => typeof(AsyncCopy).GetMethod(name)!;

    private static string WarpMultiplyAdd(string type) =>
        $"mma.sync.aligned.m16n8k16.row.col.f32.{type}.{type}.f32 {{$r.0, $r.1, $r.2, $r.3}}, "
        + "{$0, $1, $2, $3}, {$4, $5}, {$6.0, $6.1, $6.2, $6.3};";

    /// <summary>A reduction over lanes 16 and 32 apart: a swizzle within halves of the wave (the partner's number differs in bit 4), then
    /// the other half's lane.</summary>
    private static string OverSharers(string operation) =>
        "{ float v = $0, w; w = as_float(__builtin_amdgcn_ds_swizzle(as_int(v), 0x401F)); "
        + $"v = {Apply(operation, "v", "w")}; "
        + "w = as_float(__builtin_amdgcn_ds_bpermute((int)((get_local_id(0) ^ 32u) << 2), as_int(v))); "
        + $"$r = {Apply(operation, "v", "w")}; }}";

    /// <summary>A reduction without memory: partners 1, 2, 4 and 8 lanes away by data-parallel primitives (quad_perm twice,
    /// row_half_mirror, row_mirror: once quads and octets agree, a mirror image is as good as the partner), 16 and 32 away by
    /// readlane.</summary>
    private static string Butterfly(string operation)
    {
        var text = "{ float v = $0, w;";
        foreach (var control in (string[])["0xB1", "0x4E", "0x141", "0x140"])
        {
            text += $" w = as_float(__builtin_amdgcn_update_dpp(0, as_int(v), {control}, 0xF, 0xF, true)); "
                + $"v = {Apply(operation, "v", "w")};";
        }

        for (var row = 0; row < 4; row++)
        {
            text += $" float r{row} = as_float(__builtin_amdgcn_readlane(as_int(v), {row * 16}));";
        }

        return text + $" r0 = {Apply(operation, "r0", "r1")}; r2 = {Apply(operation, "r2", "r3")}; $r = {Apply(operation, "r0", "r2")}; }}";
    }

    private static string Apply(string operation, string a, string b) =>
        operation.Replace("{0}", a, StringComparison.Ordinal).Replace("{1}", b, StringComparison.Ordinal);
}
