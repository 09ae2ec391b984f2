namespace TrailMaps.Routes;

/// <summary>What one walks on; sorted, as the file stores names.</summary>
public enum Surface
{
    Asphalt,
    Boardwalk,
    Meadow,
    Path,
    Rock,
    Sand,
    Stairs,
}

public static class Surfaces
{
    /// <summary>Minutes more for each kilometre.</summary>
    public static double Slower(this Surface surface)
    {
        return surface switch
        {
            Surface.Asphalt => 0,
            Surface.Sand => 6,
            Surface.Rock => 8,
            Surface.Stairs => 4,
            Surface.Boardwalk => 0.5,
            Surface.Meadow => 2,
            Surface.Path => 1.5,
            _ => 1,
        };
    }

    public static bool IsPaved(this Surface surface) => surface == Surface.Asphalt;
}
