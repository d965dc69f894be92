using System.Runtime.InteropServices;
using System.Text;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Compute.Ilgpu.Compile.Amd;

/// <summary>AMD's code object manager, <c>libamd_comgr</c>: the compiler that comes with every ROCm runtime, loaded at run time.</summary>
/// <remarks>Handles are 64-bit numbers; a status other than 0 is an error. Each compilation is three actions, as its own tools do: source
/// to bitcode, bitcode to relocatable, relocatable to executable.</remarks>
internal sealed unsafe class Comgr : ICodeObjectCompiler
{
    private const int Source = 1;
    private const int Log = 5;
    private const int Executable = 8;
    private const int OpenCl2 = 2;
    private const int CompileSource = 2;

    private readonly int[] _actions;
    private readonly delegate* unmanaged<int, ulong*, int> _createData;
    private readonly delegate* unmanaged<ulong, int> _releaseData;
    private readonly delegate* unmanaged<ulong, nuint, byte*, int> _setData;
    private readonly delegate* unmanaged<ulong, byte*, int> _setDataName;
    private readonly delegate* unmanaged<ulong, nuint*, byte*, int> _getData;
    private readonly delegate* unmanaged<ulong*, int> _createSet;
    private readonly delegate* unmanaged<ulong, int> _destroySet;
    private readonly delegate* unmanaged<ulong, ulong, int> _addToSet;
    private readonly delegate* unmanaged<ulong, int, nuint*, int> _countInSet;
    private readonly delegate* unmanaged<ulong, int, nuint, ulong*, int> _getFromSet;
    private readonly delegate* unmanaged<ulong*, int> _createInfo;
    private readonly delegate* unmanaged<ulong, int> _destroyInfo;
    private readonly delegate* unmanaged<ulong, byte*, int> _setIsa;
    private readonly delegate* unmanaged<ulong, int, int> _setLanguage;
    private readonly delegate* unmanaged<ulong, byte**, nuint, int> _setOptions;
    private readonly delegate* unmanaged<ulong, byte, int> _setLogging;
    private readonly delegate* unmanaged<int, ulong, ulong, ulong, int> _act;
    private readonly delegate* unmanaged<int, byte**, int> _describe;

    private Comgr(DriverLibrary library)
    {
        nint Of(string function) => library.Get("amd_comgr_" + function);
        _createData = (delegate* unmanaged<int, ulong*, int>)Of("create_data");
        _releaseData = (delegate* unmanaged<ulong, int>)Of("release_data");
        _setData = (delegate* unmanaged<ulong, nuint, byte*, int>)Of("set_data");
        _setDataName = (delegate* unmanaged<ulong, byte*, int>)Of("set_data_name");
        _getData = (delegate* unmanaged<ulong, nuint*, byte*, int>)Of("get_data");
        _createSet = (delegate* unmanaged<ulong*, int>)Of("create_data_set");
        _destroySet = (delegate* unmanaged<ulong, int>)Of("destroy_data_set");
        _addToSet = (delegate* unmanaged<ulong, ulong, int>)Of("data_set_add");
        _countInSet = (delegate* unmanaged<ulong, int, nuint*, int>)Of("action_data_count");
        _getFromSet = (delegate* unmanaged<ulong, int, nuint, ulong*, int>)Of("action_data_get_data");
        _createInfo = (delegate* unmanaged<ulong*, int>)Of("create_action_info");
        _destroyInfo = (delegate* unmanaged<ulong, int>)Of("destroy_action_info");
        _setIsa = (delegate* unmanaged<ulong, byte*, int>)Of("action_info_set_isa_name");
        _setLanguage = (delegate* unmanaged<ulong, int, int>)Of("action_info_set_language");
        _setOptions = (delegate* unmanaged<ulong, byte**, nuint, int>)Of("action_info_set_option_list");
        _setLogging = (delegate* unmanaged<ulong, byte, int>)Of("action_info_set_logging");
        _act = (delegate* unmanaged<int, ulong, ulong, ulong, int>)Of("do_action");
        _describe = (delegate* unmanaged<int, byte**, int>)Of("status_string");
        nuint major = 0, minor = 0;
        ((delegate* unmanaged<nuint*, nuint*, void>)Of("get_version"))(&major, &minor);
        Name = $"{library.Name} {major}.{minor}";

        // Version 3 dropped two kinds of action and counts the later ones anew: code generation, then the link.
        _actions = major >= 3 ? [CompileSource, 4, 7] : [CompileSource, 6, 9];
    }

    public static IReadOnlyList<string> FileNames { get; } =
        ["libamd_comgr.so.3", "libamd_comgr.so.2", "libamd_comgr.so", "/opt/rocm/lib/libamd_comgr.so"];

    public string Name { get; }

    /// <summary>Null where none of the files can be loaded.</summary>
    /// <exception cref="NotSupportedException">The library lacks a function.</exception>
    public static Comgr? Find(IReadOnlyList<string> fileNames) =>
        DriverLibrary.Find(fileNames) is { } library ? new Comgr(library) : null;

    public byte[] Compile(string text, string processor)
    {
        var owned = new List<ulong>();
        ulong source = 0, info = 0;
        Check(_createData(Source, &source), "create_data");
        try
        {
            Check(_createInfo(&info), "create_action_info");
            var set = NewSet(owned);
            var bytes = Encoding.UTF8.GetBytes(AmdSource.Of(text));
            fixed (byte* content = bytes, name = "kernel.cl\0"u8)
            {
                Check(_setData(source, (nuint)bytes.Length, content), "set_data");
                Check(_setDataName(source, name), "set_data_name");
            }

            Check(_addToSet(set, source), "data_set_add");
            fixed (byte* isa = Encoding.UTF8.GetBytes($"amdgcn-amd-amdhsa--{processor}\0"))
            {
                Check(_setIsa(info, isa), $"action_info_set_isa_name({processor})");
            }

            Check(_setLanguage(info, OpenCl2), "action_info_set_language");
            Check(_setLogging(info, 1), "action_info_set_logging");
            SetOptions(info, AmdSource.Options);
            foreach (var action in _actions)
            {
                var result = NewSet(owned);
                if (_act(action, info, set, result) is not 0 and var status)
                {
                    throw new KernelBuildException(
                        $"{Name} cannot build it for {processor}: {Describe(status)}\n{LogOf(result).TrimEnd('\0', '\n')}");
                }

                set = result;
            }

            return First(set, Executable) ?? throw new KernelBuildException($"{Name} gave no code object for {processor}");
        }
        finally
        {
            owned.ForEach(set => _ = _destroySet(set));
            _ = _releaseData(source);
            _ = info == 0 ? 0 : _destroyInfo(info);
        }
    }

    private ulong NewSet(List<ulong> owned)
    {
        ulong set;
        Check(_createSet(&set), "create_data_set");
        owned.Add(set);
        return set;
    }

    private void SetOptions(ulong info, IReadOnlyList<string> options)
    {
        var texts = new nint[options.Count];
        try
        {
            for (var i = 0; i < texts.Length; i++)
            {
                texts[i] = Marshal.StringToCoTaskMemUTF8(options[i]);
            }

            fixed (nint* list = texts)
            {
                Check(_setOptions(info, (byte**)list, (nuint)texts.Length), "action_info_set_option_list");
            }
        }
        finally
        {
            Array.ForEach(texts, Marshal.FreeCoTaskMem);
        }
    }

    private string LogOf(ulong set) => First(set, Log) is { } log ? Encoding.UTF8.GetString(log) : "";

    /// <summary>The first piece of a kind; null where the set has none.</summary>
    private byte[]? First(ulong set, int kind)
    {
        nuint count;
        ulong data;
        if (_countInSet(set, kind, &count) != 0 || count == 0 || _getFromSet(set, kind, 0, &data) != 0)
        {
            return null;
        }

        try
        {
            nuint size = 0;
            Check(_getData(data, &size, null), "get_data");
            var bytes = new byte[size];
            fixed (byte* p = bytes)
            {
                Check(_getData(data, &size, p), "get_data");
            }

            return bytes;
        }
        finally
        {
            _ = _releaseData(data);
        }
    }

    private string Describe(int status)
    {
        byte* text;
        return _describe(status, &text) == 0 ? $"{Marshal.PtrToStringUTF8((nint)text)} ({status})" : $"status {status}";
    }

    private void Check(int status, string function)
    {
        if (status != 0)
        {
            throw new KernelBuildException($"{Name}: amd_comgr_{function} failed: {Describe(status)}");
        }
    }
}
