using FsCheck;
using FsCheck.Fluent;

namespace EventBus.Tests;

/// <summary>Random bytes read as a program, so that a failing one is made shorter by leaving bytes out.</summary>
internal sealed class Script(byte[] bytes)
{
    private int _position;

    public bool IsAtEnd => _position >= bytes.Length;

    /// <summary>The next choice out of some; the first once the program is at its end.</summary>
    public int Next(int choices) => IsAtEnd ? 0 : bytes[_position++] % choices;

    public T Pick<T>(IReadOnlyList<T> choices) => choices[Next(choices.Count)];

    /// <summary>Runs random programs; the first that throws is shortened and reported with its seed.</summary>
    public static void CheckAll(int count, int longest, Action<Script> run) =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => run(new Script(bytes)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(count).WithStartSize(1).WithEndSize(longest));
}
