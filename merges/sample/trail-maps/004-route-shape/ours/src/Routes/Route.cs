namespace TrailMaps.Routes;

public sealed class Route
{
    private readonly Position[] points;
    private readonly string name;

    public Route(string name, IEnumerable<Position> points)
    {
        this.points = points.ToArray();
        this.name = name.Trim();
    }

    /// <summary>Whether the route comes back to its start.</summary>
    public bool IsLoop()
    {
        return points.Length > 3 && points[0].DistanceTo(points[^1]) < 25;
    }

    /// <summary>Metres on the map, without the climbing.</summary>
    public double Length()
    {
        double sum = 0;
        for (int i = 1; i < points.Length; i++)
        {
            sum += points[i - 1].DistanceTo(points[i]);
        }
        return sum;
    }

    /// <summary>The other way round.</summary>
    public Route Reversed()
    {
        return new Route(name + " (back)", points.Reverse());
    }
}
