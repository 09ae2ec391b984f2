namespace TrailMaps.Routes;

/// <summary>How hard a route is, from T1 to T6.</summary>
public static class Grade
{
    public static int Of(double gain, double length)
    {
        if (length <= 0)
        {
            return 1;
        }
        double steepness = 100*gain/length;
        return steepness switch
        {
            < 6 => 1,
            < 12 => 2,
            < 20 => 3,
            _ => 4,
        };
    }

    /// <summary>The name on the signs.</summary>
    public static string Sign(int grade) { return "T" + grade; }
}
