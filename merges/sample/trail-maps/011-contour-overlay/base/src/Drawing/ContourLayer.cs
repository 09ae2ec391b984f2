namespace TrailMaps.Drawing;

public sealed class ContourLayer : ILayer
{
    private readonly Pen pen = new("#a0703c", width: 0.7);

    public void Draw(Canvas canvas, Tile tile)
    {
        foreach (var line in tile.Contours)
        {
            canvas.Line(pen, line.Select(p => canvas.Pixel(p)));
        }

        var box = tile.Bounds;
        canvas.Clip(box);

        canvas.Box(Pen.Red, box); // TODO remove
        foreach (var label in tile.Labels)
        {
            canvas.Text(label, pen);
        }
    }

    public int Order => 2;

    public string Name => "contours";

    public bool Visible { get; set; } = true;

    public int FromZoom => 12;
}
