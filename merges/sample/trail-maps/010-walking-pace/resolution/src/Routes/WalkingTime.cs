namespace TrailMaps.Routes;

/// <summary>Minutes from the length and the climbing of a route.</summary>
public static class WalkingTime
{
    // figures of the survey of walkers, over 400 walks
    private const double FlatMetresPerHour = 4200;
    private const double ClimbMetresPerHour = 350;
    private const double DescentMetresPerHour = 500;

    public static double Minutes(double length, double up, double down)
    {
        double flat = length / FlatMetresPerHour;
        double steep = up / ClimbMetresPerHour;
        steep += down / DescentMetresPerHour;
        double longer = Math.Max(flat, steep);
        double shorter = Math.Min(flat, steep);
        return 60 * (longer + shorter / 2);
    }

    /// <summary>With a rest of ten minutes in each two hours.</summary>
    public static double WithRests(double minutes)
    {
        return minutes + 10 * Math.Floor(minutes / 120);
    }
}
