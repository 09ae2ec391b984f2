namespace TrailMaps.Shelters;

/// <summary>Finds what lies near a route.</summary>
public sealed class Index
{
    private readonly SortedSet<Hut> huts = new(ByHeight.Instance);
    private readonly Clock clock = new();
    private readonly Position origin = Position.Zero;

    /// <summary>Metres to both sides of the route.</summary>
    public int Width { get; set; } = 400;

    /// <summary>What can be reached from a point, nearest first.</summary>
    public IEnumerable<string> Near(Position at, int month)
    {
        return huts
            .Where(hut => hut.Months.Contains(month))
            .OrderBy(hut => hut.At.DistanceTo(at))
            .Select(hut => hut.Name);
    }
}
