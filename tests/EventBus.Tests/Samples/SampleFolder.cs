namespace EventBus.Tests.Samples;

/// <summary>A folder for a sample to work on; gone after the test.</summary>
internal sealed class SampleFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("sample-");

    public string Path => _folder.FullName;

    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Writes a file, and the folders it is in.</summary>
    public string Write(string name, string text) => Write(name, System.Text.Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] content)
    {
        string file = PathOf(name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, content);
        return file;
    }

    /// <summary>Makes a file of zeros that takes up no room, however large.</summary>
    public string WriteSparse(string name, long length)
    {
        string file = PathOf(name);
        using FileStream stream = File.Create(file);
        stream.SetLength(length);
        return file;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
