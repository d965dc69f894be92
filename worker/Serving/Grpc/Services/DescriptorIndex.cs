using Google.Protobuf.Reflection;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary>Every file and every fully qualified name behind a set of services.</summary>
internal sealed class DescriptorIndex
{
    private readonly Dictionary<string, FileDescriptor> files = [];
    private readonly Dictionary<string, FileDescriptor> symbols = [];
    private readonly HashSet<string> messages = [];

    public DescriptorIndex(IReadOnlyList<ServiceDescriptor> services)
    {
        ServiceNames = [.. services.Select(service => service.FullName).Order(StringComparer.Ordinal)];
        foreach (var file in services.SelectMany(service => WithImports(service.File)).Distinct())
        {
            files.Add(file.Name, file);
            AddServices(file);
            AddMessages(file.MessageTypes);
            AddEnums(file.EnumTypes);
        }
    }

    public IReadOnlyList<string> ServiceNames { get; }

    /// <param name="name">As an import statement writes it.</param>
    public FileDescriptor? FindFile(string name) => files.GetValueOrDefault(name);

    /// <param name="symbol">Fully qualified name of a service, method, message, field, oneof, enum or enum value.</param>
    public FileDescriptor? FindFileOf(string symbol) => symbols.GetValueOrDefault(symbol);

    public bool IsMessage(string fullName) => messages.Contains(fullName);

    /// <summary>The file after everything it imports, each once: an order in which a descriptor pool can take them.</summary>
    public static IEnumerable<FileDescriptor> WithImports(FileDescriptor file) =>
        file.Dependencies.SelectMany(WithImports).Append(file).Distinct();

    private void AddServices(FileDescriptor file)
    {
        foreach (var service in file.Services)
        {
            symbols.Add(service.FullName, file);
            foreach (var method in service.Methods)
            {
                symbols.Add(method.FullName, file);
            }
        }
    }

    private void AddMessages(IEnumerable<MessageDescriptor> types)
    {
        foreach (var type in types)
        {
            messages.Add(type.FullName);
            symbols.Add(type.FullName, type.File);
            foreach (var member in type.Fields.InDeclarationOrder().Cast<IDescriptor>().Concat(type.Oneofs))
            {
                symbols.Add(member.FullName, type.File);
            }

            AddMessages(type.NestedTypes);
            AddEnums(type.EnumTypes);
        }
    }

    private void AddEnums(IEnumerable<EnumDescriptor> types)
    {
        foreach (var type in types)
        {
            symbols.Add(type.FullName, type.File);

            // Protobuf scopes values beside their enum, not inside it.
            var scope = type.FullName[..^type.Name.Length];
            foreach (var value in type.Values)
            {
                symbols.Add(scope + value.Name, type.File);
            }
        }
    }
}
