namespace Samples.Runs;

/// <summary>Counts words (what stands between white space) in a text that comes in blocks, each word where it begins.</summary>
internal struct WordCounter
{
    private bool _isInWord;

    public long Count(ReadOnlySpan<char> block)
    {
        long words = 0;
        foreach (char c in block)
        {
            bool isInWord = !char.IsWhiteSpace(c);
            if (isInWord && !_isInWord)
                words++;
            _isInWord = isInWord;
        }

        return words;
    }
}
