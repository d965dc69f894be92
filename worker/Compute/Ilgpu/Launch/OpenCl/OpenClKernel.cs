using System.Text;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Silk.NET.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

/// <summary>A kernel on an OpenCL device: the driver's object for each place of a step that launches it, so that arguments stay set from
/// one step to the next, and only those that have changed are written.</summary>
/// <remarks>A place is known by the memory that its views begin at: the same kernel has other weights in each layer, and the same ones in
/// each step. Places that take turns in one object (their number is limited) write what differs.</remarks>
/// <param name="entry">Name of the function in the program.</param>
internal sealed unsafe class OpenClKernel(CL cl, Kernel kernel, nint program, string entry) : IDisposable
{
    /// <summary>Layers of the largest models, a few times over.</summary>
    private const int MaxObjects = 1024;

    private readonly Dictionary<int, ArgumentsSet> _places = [];
    private readonly List<ArgumentsSet> _objects = [];
    private int _next;

    /// <summary>Arguments that were handed to the driver so far.</summary>
    public long ArgumentsWritten { get; private set; }

    /// <summary>The driver's object with these arguments. All pointers of views come first, then all parameters: a view as {offset in
    /// elements, length}.</summary>
    /// <exception cref="ArgumentException">There are too few or too many, a view is missing or in the middle of an element.</exception>
    /// <exception cref="KernelBuildException">The driver refuses an object or an argument.</exception>
    public nint With(ReadOnlySpan<KernelArgument> arguments)
    {
        var parameters = kernel.Parameters;
        if (arguments.Length != parameters.Length)
        {
            throw new ArgumentException($"kernel {kernel} takes {parameters.Length} arguments, not {arguments.Length}");
        }

        var place = new HashCode();
        var views = 0;
        for (var i = 0; i < arguments.Length; i++)
        {
            if (parameters[i].ElementType is not null)
            {
                if (arguments[i].Memory is not OpenClMemory memory)
                {
                    throw new ArgumentException($"kernel {kernel}: argument {i} must be a view of memory of this device");
                }

                if (arguments[i].Offset % parameters[i].ElementBytes != 0)
                {
                    throw new ArgumentException(
                        $"kernel {kernel}: argument {i} begins at byte {arguments[i].Offset}, in the middle of an element of "
                        + $"{parameters[i].ElementBytes} bytes");
                }

                place.Add(memory.Number);
                place.Add(arguments[i].Offset);
                views++;
            }
        }

        var own = Of(place.ToHashCode(), views + arguments.Length);
        var index = 0;
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i].Memory is OpenClMemory memory && parameters[i].ElementType is not null)
            {
                var buffer = memory.Buffer;
                Set(own, index++, (memory.Number, 0), (nuint)sizeof(nint), &buffer);
            }
        }

        var view = stackalloc long[2];
        for (var i = 0; i < arguments.Length; i++)
        {
            if (parameters[i].ElementType is not null)
            {
                view[0] = arguments[i].Offset / parameters[i].ElementBytes;
                view[1] = arguments[i].Bytes / parameters[i].ElementBytes;
                Set(own, index++, (view[0], view[1]), 2 * sizeof(long), view);
            }
            else
            {
                var bits = arguments[i].Bits;
                Set(own, index++, (bits, 0), sizeof(uint), &bits);
            }
        }

        return own.Handle;
    }

    public void Dispose() => _objects.ForEach(one => _ = cl.ReleaseKernel(one.Handle));

    private ArgumentsSet Of(int place, int arguments)
    {
        if (_places.TryGetValue(place, out var known))
        {
            return known;
        }

        if (_objects.Count < MaxObjects)
        {
            known = new ArgumentsSet(Create(), arguments);
            _objects.Add(known);
        }
        else
        {
            known = _objects[_next++ % MaxObjects];
            _places.Remove(known.Place);
        }

        known.Place = place;
        _places.Add(place, known);
        return known;
    }

    private nint Create()
    {
        int error;
        fixed (byte* name = Encoding.UTF8.GetBytes(entry + '\0'))
        {
            var handle = cl.CreateKernel(program, name, &error);
            return error == 0
                ? handle
                : throw new KernelBuildException($"kernel {kernel}: the driver has no entry {entry}: {OpenClApi.Describe(error)}");
        }
    }

    private void Set(ArgumentsSet own, int index, (long, long) value, nuint size, void* bytes)
    {
        if (own.Values[index] == value)
        {
            return;
        }

        if (cl.SetKernelArg(own.Handle, (uint)index, size, bytes) is not 0 and var error)
        {
            throw new KernelBuildException($"kernel {kernel}: argument {index} is refused: {OpenClApi.Describe(error)}");
        }

        own.Values[index] = value;
        ArgumentsWritten++;
    }

    /// <summary>A driver's object and what it was given.</summary>
    private sealed class ArgumentsSet(nint handle, int arguments)
    {
        public nint Handle => handle;

        public int Place { get; set; }

        /// <summary>Null where nothing was set yet.</summary>
        public (long, long)?[] Values { get; } = new (long, long)?[arguments];
    }
}
