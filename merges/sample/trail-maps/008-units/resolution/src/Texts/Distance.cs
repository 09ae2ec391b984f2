namespace TrailMaps.Texts;

public static class Distance
{
    private const double Mile = 1609.344;
    private const double Kilometre = 1000;
    private const double Foot = 0.3048;

    /// <summary>For signs: "3.2 km" or "2 mi".</summary>
    public static string Text(this double metres, int digits = 1)
    {
        if (metres < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(metres));
        }
        if (metres < 1000)
        {
            return $"{Math.Round(metres / 10) * 10:F0} m";
        }
        // signs never show more than three digits in front
        var kilometres = Math.Min(metres / 1000, 999);
        var culture = CultureInfo.InvariantCulture;

        return kilometres.ToString("F" + digits, culture) + " km";
    }

    /// <summary>For readers who count in miles.</summary>
    public static string Miles(double metres)
    {
        return (metres / Mile).ToString("F1") + " mi";
    }
}
