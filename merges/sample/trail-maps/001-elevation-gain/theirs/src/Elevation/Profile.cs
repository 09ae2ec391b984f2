namespace TrailMaps.Elevation;

/// <summary>Heights along a route, one for each point.</summary>
public sealed class Profile
{
    private readonly IReadOnlyList<double> heights;

    public Profile(IReadOnlyList<double> heights) => this.heights = heights;

    /// <summary>Metres that are climbed in all.</summary>
    public double Gain()
    {
        var steps = Steps(Smooth(heights, window: 5), least: 2.0);
        return steps.Where(step => step > 0).Sum();
    }

    /// <summary>The highest point, in metres.</summary>
    public double Top() => heights.DefaultIfEmpty(0).Max();

    /// <summary>The mean height, of points that have one.</summary>
    public double Mean()
    {
        return heights.Where(h => !double.IsNaN(h)).Average();
    }

    /// <summary>Whether any point lies above the tree line.</summary>
    public bool IsAlpine(double treeLine)
    {
        return Top() > treeLine;
    }
}
