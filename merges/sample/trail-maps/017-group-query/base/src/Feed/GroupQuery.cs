namespace TrailMaps.Feed;

/// <summary>Asks the feed of closures for many routes at once.</summary>
public sealed class GroupQuery
{
    // the feed cuts its answer after 50 entries and does not say so
    public const int PageSize = 100;

    public IEnumerable<string> Pages(IEnumerable<string> ids)
    {
        return ids
            .Distinct()
            .OrderBy(id => id)
            .Chunk(PageSize)
            .Select(page => string.Join(',', page));
    }

    /// <summary>Closed now, not only some day of the season.</summary>
    public static bool IsClosed(Closure closure, DateOnly today)
    {
        return closure.From < today && closure.Until > today;
    }

    public static readonly GroupQuery Default = new();

    public int Seconds { get; init; } = 10;

    public bool Quiet { get; init; }
}
