using System.Reflection;

namespace EventBus.Tests.PublicApi;

/// <summary>
/// What users can see changes only on purpose: it is compared with the approved text beside this file. To accept a change, set
/// EVENTBUS_ACCEPT_API=1 for one run of these tests and commit what it wrote.
/// </summary>
public sealed class PublicApiTests
{
    public static TheoryData<string> Assemblies { get; } = ["EventBus", "EventBus.Testing"];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void PublicApi_OfEachPackage_IsTheApprovedOne(string name)
    {
        string approvedPath = Repository.PathOf("tests", "EventBus.Tests", "PublicApi", $"{name}.approved.txt");
        string actual = ApiText.Of(Assembly.Load(name));

        if (Environment.GetEnvironmentVariable("EVENTBUS_ACCEPT_API") == "1")
            File.WriteAllText(approvedPath, actual);
        string approved = File.Exists(approvedPath) ? File.ReadAllText(approvedPath).ReplaceLineEndings("\n") : "";
        if (actual == approved)
            return;

        string receivedPath = Path.Combine(AppContext.BaseDirectory, $"{name}.received.txt");
        File.WriteAllText(receivedPath, actual);
        string[] before = approved.Split('\n'), after = actual.Split('\n');
        Assert.Fail(
            $"The public API of {name} is not the approved one.\n" +
            string.Concat(before.Except(after).Select(line => $"- {line}\n")) +
            string.Concat(after.Except(before).Select(line => $"+ {line}\n")) +
            $"If it is meant: EVENTBUS_ACCEPT_API=1 dotnet test tests/EventBus.Tests --filter {nameof(PublicApiTests)}\n" +
            $"or copy {receivedPath}\nto {approvedPath}.");
    }
}
