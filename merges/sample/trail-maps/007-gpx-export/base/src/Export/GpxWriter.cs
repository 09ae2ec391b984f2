using System.Xml.Linq;

namespace TrailMaps.Export;

public sealed class GpxWriter
{
    private const string Creator = "trail-maps";

    /// <summary>The root of the file.</summary>
    public XElement Head(string title, TimeProvider clock)
    {
        return XElement.Parse($"<gpx><name>{title}</name></gpx>");
    }

    /// <summary>One point of the track.</summary>
    public XElement Point(Position at)
    {
        var lat = at.Latitude.ToString("F6");
        var lon = at.Longitude.ToString("F6");
        return XElement.Parse($"<pt lat=\"{lat}\" lon=\"{lon}\">{at.Label}</pt>");
    }

    public string FileName(Route route)
    {
        return route.Name + ".gpx";
    }
}
