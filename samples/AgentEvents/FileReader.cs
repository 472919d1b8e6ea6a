using System.Security.Cryptography;

namespace Samples.Agents;

/// <summary>Hashes a file and counts its lines, however large it is, in one pass through one buffer. For one user at a time.</summary>
internal sealed class FileReader
{
    /// <summary>What takes longer to open is not going to: a pipe that nobody writes to, or a share that is gone.</summary>
    private static readonly TimeSpan OpenLimit = TimeSpan.FromSeconds(5);

    private static readonly FileStreamOptions Shared = new()
    {
        Access = FileAccess.Read,
        Share = FileShare.ReadWrite | FileShare.Delete,
        Options = FileOptions.SequentialScan,
        BufferSize = 0,
    };

    private readonly byte[] _buffer = new byte[128 * 1024];

    /// <summary>Reads a file. A line ends with a line feed; what stands after the last one is a line too.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be read, or is a folder.</exception>
    public async Task<FileFacts> ReadAsync(string root, string file, CancellationToken cancellationToken)
    {
        await using FileStream stream = await OpenAsync(Path.Combine(root, file), cancellationToken);
        if (!stream.CanSeek)
            throw new IOException("It is a pipe or a device, not a file.");
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long bytes = 0, lines = 0;
        byte last = (byte)'\n';
        for (int read; (read = await stream.ReadAsync(_buffer, cancellationToken)) > 0; bytes += read)
        {
            ReadOnlySpan<byte> block = _buffer.AsSpan(0, read);
            hash.AppendData(block);
            lines += block.Count((byte)'\n');
            last = block[^1];
        }

        if (last != '\n')
            lines++;
        return new FileFacts(file, bytes, lines, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static async Task<FileStream> OpenAsync(string path, CancellationToken cancellationToken)
    {
        // Opening cannot be cancelled, so it gets a thread that may be left behind.
        Task<FileStream> opening = Task.Run(() => new FileStream(path, Shared), CancellationToken.None);
        try
        {
            return await opening.WaitAsync(OpenLimit, cancellationToken);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            _ = opening.ContinueWith(
                static opened => opened.Result.Dispose(),
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnRanToCompletion,
                TaskScheduler.Default);
            if (exception is TimeoutException)
                throw new IOException($"It did not open within {OpenLimit.TotalSeconds} seconds.", exception);
            throw;
        }
    }
}
