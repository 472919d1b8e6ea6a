using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventBus.Tests.Publishing;

/// <summary>What can be seen of a bus goes to JSON, and to a log, as it is.</summary>
public sealed partial class SerializationTests : IDisposable
{
    private readonly InProcessEventBus _bus = new();
    private readonly Subscription<List<int>> _subscription;

    public SerializationTests() => _subscription = _bus.Subscribe<List<int>>(["a", "b:*"], new() { Name = "some", Capacity = 5 });

    public void Dispose()
    {
        _subscription.Dispose();
        _bus.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SubscriptionInfo_AsJson_HasItsTypesName(bool generated)
    {
        SubscriptionInfo info = _bus.GetSubscriptions().Single();

        string json = generated
            ? JsonSerializer.Serialize(info, LookingInside.Default.SubscriptionInfo)
            : JsonSerializer.Serialize(info, JsonSerializerOptions.Web);

        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement Property(string name) => document.RootElement.GetProperty(generated ? name : JsonNamingPolicy.CamelCase.ConvertName(name));
        Property("EventType").GetString().Should().Be("System.Collections.Generic.List`1[System.Int32]");
        Property("Patterns").EnumerateArray().Select(p => p.GetString()).Should().Equal("a", "b:*");
        Property("Name").GetString().Should().Be("some");
        Property("Id").GetInt64().Should().Be(_subscription.Id);
        Property("Capacity").GetInt32().Should().Be(5);
        Property("CreatedAt").GetDateTimeOffset().Should().Be(info.CreatedAt);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EventBusStatistics_AsJson_ComeBackAsTheyWere(bool generated)
    {
        _bus.Publish("nobody", 1);
        _bus.Publish("a", new List<int>());
        EventBusStatistics statistics = _bus.GetStatistics();

        EventBusStatistics? back = generated
            ? JsonSerializer.Deserialize(
                JsonSerializer.Serialize(statistics, LookingInside.Default.EventBusStatistics), LookingInside.Default.EventBusStatistics)
            : JsonSerializer.Deserialize<EventBusStatistics>(JsonSerializer.Serialize(statistics));

        back.Should().Be(statistics);
        (back!.Unmatched, back.HighestFill).Should().Be((1, 0.2));
    }

    [Fact]
    public void SubscriptionInfo_ReadBack_SaysWhyItCannotBe()
    {
        string json = JsonSerializer.Serialize(_bus.GetSubscriptions());

        FluentActions.Invoking(() => JsonSerializer.Deserialize<SubscriptionInfo[]>(json)).Should().Throw<NotSupportedException>()
            .WithMessage("*cannot be read back*string for EventType*");
    }

    [Fact]
    public void SubscriptionInfo_ToString_ShowsItsPatterns() =>
        _bus.GetSubscriptions().Single().ToString().Should().StartWith(
            $"SubscriptionInfo {{ Id = {_subscription.Id}, Name = some, Patterns = [a, b:*], " +
            "EventType = System.Collections.Generic.List`1[System.Int32], Capacity = 5, Count = 0,");

    [JsonSerializable(typeof(SubscriptionInfo))]
    [JsonSerializable(typeof(EventBusStatistics))]
    private sealed partial class LookingInside : JsonSerializerContext;
}
