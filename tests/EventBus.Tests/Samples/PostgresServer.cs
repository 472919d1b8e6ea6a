using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EventBus.Tests.Samples;

/// <summary>A PostgreSQL server of the tests' own: an empty database in a temporary folder, on a free port of the loopback.</summary>
/// <remarks>The server refuses to run as root, so there it runs as its own user.</remarks>
public sealed class PostgresServer : IAsyncLifetime
{
    private static readonly TimeSpan HangGuard = TimeSpan.FromMinutes(2);
    private readonly int _port = FreePort();
    private DirectoryInfo? _folder;
    private Process? _server;

    public string ConnectionString => $"Host=127.0.0.1;Port={_port};Username=postgres;Database=postgres;Timeout=30";

    public async Task InitializeAsync()
    {
        // Then its tests are skipped, and need none.
        if (PostgresPrograms.Fault is not null)
            return;
        _folder = Directory.CreateTempSubdirectory("eventbus-postgres-");
        if (Environment.IsPrivilegedProcess)
            await RunAsync(new ProcessStartInfo("chown", [User, _folder.FullName]));
        string data = Path.Combine(_folder.FullName, "data");
        await RunAsync(Unprivileged(
            "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"));
        _server = await StartAsync(Unprivileged(
            "postgres", "-D", data, "-p", $"{_port}", "-c", "listen_addresses=127.0.0.1", "-c", $"unix_socket_directories={_folder.FullName}",
            "-c", "fsync=off", "-c", "logging_collector=off"));
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            // INT: a fast shutdown, which waits for nobody's connection to be closed.
            await RunAsync(new ProcessStartInfo("kill", ["-INT", _server.Id.ToString(CultureInfo.InvariantCulture)]));
            await _server.WaitForExitAsync().WaitAsync(HangGuard);
            _server.Dispose();
        }

        _folder?.Delete(recursive: true);
    }

    private static string User => Directory.Exists("/var/lib/postgresql") ? "postgres" : "nobody";

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>A program of the server as a user who is not root. It takes the place of setpriv, so a signal reaches it.</summary>
    private static ProcessStartInfo Unprivileged(string program, params string[] arguments)
    {
        string path = Path.Combine(PostgresPrograms.Folder, program);
        ProcessStartInfo start = Environment.IsPrivilegedProcess
            ? new ProcessStartInfo("setpriv", [$"--reuid={User}", "--regid=0", "--clear-groups", path, .. arguments])
            : new ProcessStartInfo(path, arguments);
        start.WorkingDirectory = Path.GetTempPath();
        start.Environment["LC_ALL"] = "C";
        return start;
    }

    private static async Task RunAsync(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(HangGuard);
        process.ExitCode.Should().Be(0, "{0} said: {1}{2}", start.FileName, await output, await errors);
    }

    /// <summary>Starts the server, and waits until it says that it can be used.</summary>
    private static async Task<Process> StartAsync(ProcessStartInfo start)
    {
        start.RedirectStandardError = true;
        Process server = Process.Start(start)!;
        List<string> said = [];
        TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
        server.ErrorDataReceived += (_, line) =>
        {
            said.Add(line.Data ?? "");
            if (line.Data is null)
                ready.TrySetException(new InvalidOperationException($"PostgreSQL did not start: {string.Join('\n', said)}"));
            else if (line.Data.Contains("ready to accept connections", StringComparison.Ordinal))
                ready.TrySetResult();
        };
        server.BeginErrorReadLine();
        await ready.Task.WaitAsync(HangGuard);
        return server;
    }
}
