using System.Text;

namespace Cluster.Tests.Shared;

/// <summary>A folder for one test's files, removed when disposed.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("cluster-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);

    /// <param name="name">The file's path in this folder; folders in between are made.</param>
    /// <returns>The file's full path.</returns>
    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="Write(string, string)"/>
    public string Write(string name, byte[] bytes)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>Writes a file, for a chain of them.</summary>
    public TemporaryFolder With(string name, string text)
    {
        Write(name, text);
        return this;
    }

    /// <summary>Writes a shell script and makes it executable.</summary>
    public string WriteScript(string name, string body)
    {
        var path = Write(name, $"#!/bin/sh\n{body}\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        return path;
    }
}
