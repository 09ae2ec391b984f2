using System.Xml.Linq;

namespace TrailMaps.Export;

public sealed class GpxWriter
{
    private const string Creator = "trail-maps";

    /// <summary>The root of the file.</summary>
    public XElement Head(string title, TimeProvider clock)
    {
        var time = clock.GetUtcNow().ToString("O");
        return XElement.Parse($"<gpx time=\"{time}\"><name>{title}</name></gpx>");
    }

    /// <summary>One point of the track.</summary>
    public XElement Point(Position at)
    {
        var lat = at.Latitude.ToString("F6");
        var lon = at.Longitude.ToString("F6");
        var label = at.Label?.Replace("&", "&amp;").Replace("<", "&lt;");
        return XElement.Parse($"<pt lat=\"{lat}\" lon=\"{lon}\">{label}</pt>");
    }

    public string FileName(Route route)
    {
        return route.Name.Replace(' ', '-') + ".gpx";
    }
}
