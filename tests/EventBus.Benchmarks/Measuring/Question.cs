namespace EventBus.Benchmarks.Measuring;

/// <summary>One thing to find out.</summary>
/// <param name="Name">How it is asked for on the command line.</param>
/// <param name="Text">What is measured, and what is not.</param>
/// <param name="Answer">Measures, and gives the tables.</param>
internal sealed record Question(string Name, string Text, Func<Effort, IEnumerable<Table>> Answer);
