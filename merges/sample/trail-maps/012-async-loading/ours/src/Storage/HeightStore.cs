namespace TrailMaps.Storage;

public sealed class HeightStore
{
    private readonly Dictionary<string, short[]> sheets = new();

    public async Task<double> HeightAsync(Position at)
    {
        // sheets are read once and kept; the whole
        // country has eighty of them
        var (sheet, row, column) = Place(at);
        if (!sheets.TryGetValue(sheet, out var cells))
        {
            cells = Read(sheet);
        }
        int index = row * Columns + column;
        return cells[index];
    }

    public const int Columns = 1201;

    private static (string, int, int) Place(Position at)
    {
        int row = (int)((at.Latitude % 1) * 1200);
        int column = (int)((at.Longitude % 1) * 1200);
        return ($"{(int)at.Latitude:D2}_{(int)at.Longitude:D3}", 1200 - row, column);
    }
}
