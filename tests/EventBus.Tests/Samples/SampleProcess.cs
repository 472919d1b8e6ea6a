using System.Diagnostics;
using System.Globalization;

namespace EventBus.Tests.Samples;

/// <summary>A sample that runs: its lines as they come, signals to it, and its end.</summary>
internal sealed class SampleProcess : IAsyncDisposable
{
    /// <summary>Only a guard against hanging: no test passes or fails by how long a sample takes.</summary>
    private static readonly TimeSpan HangGuard = TimeSpan.FromMinutes(2);

    private readonly string _sample;
    private readonly Process _process;

    /// <summary>Guards the lines and the waits for them.</summary>
    private readonly Lock _gate = new();
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly List<(Predicate<string> IsIt, TaskCompletionSource<string> Found)> _waits = [];
    private bool _outputEnded;

    public SampleProcess(string sample, ProcessStartInfo start)
    {
        _sample = sample;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => AddOutput(line.Data);
        _process.ErrorDataReceived += (_, line) => AddError(line.Data);
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Waits for the first line of standard output that is the one meant, printed already or yet to be.</summary>
    public async Task<string> WaitForLineAsync(Predicate<string> isIt)
    {
        TaskCompletionSource<string> found = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_output.Find(isIt) is { } line)
                return line;
            _waits.Add((isIt, found));
            if (_outputEnded)
                LockedFailWaits();
        }

        return await GuardAsync(found.Task);
    }

    /// <summary>Presses Ctrl-C.</summary>
    /// <remarks>
    /// What a script starts in its background ignores that signal, and so does all it starts in turn. There it is asked to terminate.
    /// </remarks>
    public async Task InterruptAsync()
    {
        string signal = IgnoresInterrupts() ? "-TERM" : "-INT";
        using Process kill = Process.Start("kill", [signal, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await GuardAsync(kill.WaitForExitAsync());
        kill.ExitCode.Should().Be(0, "the sample still runs");
    }

    /// <summary>Waits for the end of the process and of its output.</summary>
    public async Task<SampleResult> WaitForExitAsync()
    {
        await GuardAsync(_process.WaitForExitAsync());
        lock (_gate)
            return new SampleResult(_process.ExitCode, [.. _output], [.. _errors]);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private static bool IgnoresInterrupts()
    {
        const string Status = "/proc/self/status", Ignored = "SigIgn:";
        const long Interrupt = 1 << 1;
        string? mask = File.Exists(Status) ? File.ReadLines(Status).FirstOrDefault(l => l.StartsWith(Ignored, StringComparison.Ordinal)) : null;
        return mask is not null && (Convert.ToInt64(mask[Ignored.Length..].Trim(), 16) & Interrupt) != 0;
    }

    private void AddOutput(string? line)
    {
        lock (_gate)
        {
            if (line is null)
            {
                _outputEnded = true;
                LockedFailWaits();
                return;
            }

            _output.Add(line);
            _waits.RemoveAll(wait =>
            {
                if (!wait.IsIt(line))
                    return false;
                wait.Found.TrySetResult(line);
                return true;
            });
        }
    }

    private void AddError(string? line)
    {
        lock (_gate)
        {
            if (line is not null)
                _errors.Add(line);
        }
    }

    /// <summary>At the end of the output no line can come any more.</summary>
    private void LockedFailWaits()
    {
        foreach ((_, TaskCompletionSource<string> found) in _waits)
            found.TrySetException(new InvalidOperationException($"{Describe()} ended without the line that was waited for."));
        _waits.Clear();
    }

    private async Task GuardAsync(Task task)
    {
        try
        {
            await task.WaitAsync(HangGuard);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Describe()} does not come to an end.");
        }
    }

    private async Task<T> GuardAsync<T>(Task<T> task)
    {
        await GuardAsync((Task)task);
        return await task;
    }

    /// <summary>The beginning of a sentence about the process; the lock may be held already.</summary>
    private string Describe()
    {
        lock (_gate)
        {
            return $"{_sample}, which printed {_output.Count} lines, the last of them:\n{string.Join('\n', _output.TakeLast(20))}\n" +
                $"and on standard error:\n{string.Join('\n', _errors.TakeLast(20))}\nIt";
        }
    }
}
