using EventBus;

namespace Samples.Bursts;

/// <summary>Changes to the pipeline that the human must approve; what is not decided in time goes ahead as an assumption.</summary>
internal sealed class GroundingQueue(IEventPublisher bus, TimeProvider clock)
{
    private readonly OpenRequests<bool> _open = new(clock);

    public async Task SubmitAsync(MutationEntry entry)
    {
        bool? isApproved = await _open.WaitAsync(entry.Id, () => bus.Publish(Topics.Questions, new MutationEvent.Submitted(entry)));
        if (isApproved is null)
            bus.Publish(Topics.Drifts, new DriftEvent.PipelineDrift(entry, "Nobody objected in time.", entry.Type));
    }

    public void Respond(MutationEntry entry, bool isApproved) => _open.TryReply(
        entry.Id, isApproved, () => bus.Publish(Topics.Questions, new MutationEvent.Responded(entry with { IsApproved = isApproved })));
}
