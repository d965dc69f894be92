using System.Text;
using Silk.NET.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

/// <summary>The ICD loader's functions, or why there are none. Loaded once for the process.</summary>
internal static class OpenClApi
{
    private static readonly Lazy<CL?> Loaded = new(Load);

    /// <summary>Null where no <c>libOpenCL.so.1</c> is installed.</summary>
    public static CL? Find() => Loaded.Value;

    /// <summary>What an error code means, for messages.</summary>
    public static string Describe(int error) =>
        Enum.IsDefined((ErrorCodes)error) ? $"{(ErrorCodes)error} ({error})" : $"OpenCL error {error}";

    /// <exception cref="InvalidOperationException">The call has failed.</exception>
    public static void Check(int error, string what)
    {
        if (error != 0)
        {
            throw new InvalidOperationException($"{what} failed: {Describe(error)}");
        }
    }

    /// <summary>A text property of a device; null where the driver does not have it.</summary>
    public static unsafe string? Text(CL cl, nint device, DeviceInfo property)
    {
        nuint size;
        if (cl.GetDeviceInfo(device, property, 0, null, &size) != 0 || size == 0)
        {
            return null;
        }

        var bytes = new byte[size];
        fixed (byte* p = bytes)
        {
            return cl.GetDeviceInfo(device, property, size, p, null) == 0 ? Encoding.UTF8.GetString(bytes).TrimEnd('\0').Trim() : null;
        }
    }

    /// <summary>A number or other fixed-size property; null where the driver does not have it.</summary>
    public static unsafe T? Value<T>(CL cl, nint device, DeviceInfo property)
        where T : unmanaged
    {
        T value;
        nuint size;
        return cl.GetDeviceInfo(device, property, (nuint)sizeof(T), &value, &size) == 0 && size == (nuint)sizeof(T) ? value : null;
    }

    /// <summary><c>clCreateContext</c> of one device.</summary>
    /// <remarks>The function itself: the binding notes a callback, even none, in a table that two threads may not change at
    /// once.</remarks>
    public static unsafe nint CreateContext(CL cl, nint device, int* error) =>
        ((delegate* unmanaged<nint*, uint, nint*, void*, void*, int*, nint>)cl.Context.GetProcAddress("clCreateContext"))(
            null, 1, &device, null, null, error);

    /// <summary><c>clBuildProgram</c> for one device, in the same way.</summary>
    /// <param name="options">Ends with a zero.</param>
    public static unsafe int BuildProgram(CL cl, nint program, nint device, byte* options) =>
        ((delegate* unmanaged<nint, uint, nint*, byte*, void*, void*, int>)cl.Context.GetProcAddress("clBuildProgram"))(
            program, 1, &device, options, null, null);

    private static CL? Load()
    {
        try
        {
            // Distributions install libOpenCL.so.1; the name without a number comes with development packages only.
            return CL.GetApi();
        }
        catch (Exception exception) when (exception is FileNotFoundException or DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }
}
