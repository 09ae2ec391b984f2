namespace TrailMaps.Storage;

public sealed class TileStore
{
    private readonly ITileSource source;
    private readonly string folder;
    private readonly CancellationToken stop;

    /// <summary>The tile from disk, else from the source.</summary>
    public async Task<byte[]> LoadAsync(TileKey key)
    {
        var path = Path.Combine(folder, key.ToString());
        var file = new FileInfo(path);

        // the age of a file that is missing has no end
        if (file.Exists) return await File.ReadAllBytesAsync(path, stop);

        var tile = source.Fetch(key);
        if (tile.Length == 0)
        {
            return tile;
        }
        await File.WriteAllBytesAsync(path, tile, stop);
        return tile;
    }

    public string Folder => folder;

    public TileStore(ITileSource source, string folder)
    {
        this.source = source;
        this.folder = Directory.CreateDirectory(folder).FullName;
    }
}
