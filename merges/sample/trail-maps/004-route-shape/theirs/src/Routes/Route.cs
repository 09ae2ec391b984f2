namespace TrailMaps.Routes;

public sealed class Route
{
    private readonly Position[] points;
    private readonly string? name;

    public Route(string name, IEnumerable<Position> points)
    {
        this.points = points.ToArray();
        this.name = name ?? "unnamed";
    }

    /// <summary>Whether the route comes back to its start.</summary>
    public bool IsLoop()
    {
        return points[0]
            == points[points.Length - 1];
    }

    /// <summary>Metres on the map, without the climbing.</summary>
    public double Length()
    {
        double sum = 0;
        for (var i = 0; i < points.Length; i++)
        {
            sum += points[i].DistanceTo(points[i + 1]);
        }
        return sum;
    }

    /// <summary>The other way round.</summary>
    public Route Reversed()
    {
        return new Route(name, points.Reverse());
    }
}
