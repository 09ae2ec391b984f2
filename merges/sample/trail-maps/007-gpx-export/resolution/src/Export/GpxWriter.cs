using System.Xml.Linq;

namespace TrailMaps.Export;

public sealed class GpxWriter
{
    private static readonly XNamespace Gpx = "http://example.org/gpx";

    /// <summary>The root of the file.</summary>
    public XElement Head(string title, TimeProvider clock)
    {
        var time = clock.GetUtcNow().ToString("O");
        var name = new XElement(Gpx + "name", title);
        return new XElement(Gpx + "gpx", new XAttribute("time", time), name);
    }

    /// <summary>One point of the track.</summary>
    public XElement Point(Position at)
    {
        var lat = at.Latitude.ToString("F6");
        var lon = at.Longitude.ToString("F6");
        var point = new XElement(Gpx + "pt", at.Label);
        point.SetAttributeValue("lat", lat);
        point.SetAttributeValue("lon", lon);
        return point;
    }

    public string FileName(Route route)
    {
        return route.Name.Replace(' ', '-') + ".gpx";
    }
}
