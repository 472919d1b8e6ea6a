namespace Samples.Experiments;

/// <summary>Estimates π by throwing points into a square and counting those within the circle, with ever more points.</summary>
internal static class PiSweep
{
    /// <summary>So many points are thrown between two looks at the token, and two reports of progress.</summary>
    private const long ChunkSize = 50_000;

    public static async Task ExecuteAsync(SweepParameters parameters, RunContext run, CancellationToken cancellationToken)
    {
        long total = parameters.Samples.Sum() * parameters.Replicates, thrown = 0;
        await run.LogAsync($"a sweep of {parameters}", $"{total} points in all");
        foreach (long samples in parameters.Samples)
        {
            if (samples <= 0)
                throw new InvalidOperationException($"{samples} points estimate nothing; a sweep needs at least 1 at every step.");
            Estimate[] replicates = new Estimate[parameters.Replicates];
            for (int replicate = 0; replicate < replicates.Length; replicate++)
            {
                // The same numbers in every run of the same parameters, and others in every replicate.
                Random random = new(unchecked((parameters.Seed * 397) ^ (samples.GetHashCode() * 31) ^ replicate));
                long inside = 0;
                for (long left = samples; left > 0; left -= ChunkSize)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    long chunk = Math.Min(left, ChunkSize);
                    inside += Throw(random, chunk);
                    thrown += chunk;
                    run.Report(thrown, total, $"{samples} points, estimate {replicate + 1} of {replicates.Length}");
                }

                replicates[replicate] = ToEstimate(samples, replicate, 4.0 * inside / samples);
            }

            Estimate mean = ToEstimate(samples, replicate: null, replicates.Average(e => e.Value));
            await run.AddResultsAsync(replicates);
            await run.AddResultsAsync(mean);
            await run.LogAsync(FormattableString.Invariant($"{samples} points: {mean.Value:F6}, off by {Math.Abs(mean.Error):F6}"));
        }
    }

    private static long Throw(Random random, long points)
    {
        long inside = 0;
        for (long i = 0; i < points; i++)
        {
            double x = random.NextDouble(), y = random.NextDouble();
            if ((x * x) + (y * y) < 1)
                inside++;
        }

        return inside;
    }

    private static Estimate ToEstimate(long samples, int? replicate, double value) => new(samples, replicate, value, value - Math.PI);
}
