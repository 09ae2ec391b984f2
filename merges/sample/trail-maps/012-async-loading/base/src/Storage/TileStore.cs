namespace TrailMaps.Storage;

public sealed class TileStore
{
    private readonly ITileSource source;
    private readonly string folder;
    private readonly CancellationToken stop;

    /// <summary>The tile from disk, else from the source.</summary>
    public byte[] Load(TileKey key)
    {
        var path = Path.Combine(folder, key.ToString());
        var file = new FileInfo(path);

        // the age of a file that is missing has no end
        if (file.Exists) return File.ReadAllBytes(path);

        var tile = source.Fetch(key);
        if (tile.Length == 0)
        {
            return tile;
        }
        File.WriteAllBytes(path, tile);
        return tile;
    }

    public string Folder => folder;

    public TileStore(ITileSource source, string folder)
    {
        this.source = source;
        this.folder = folder;
    }
}
