namespace TrailMaps.Shelters;

// Beds are counted by the keeper; tents are not.

/// <summary>A place to sleep or to wait for better weather.</summary>
public sealed record Shelter(string Name, int Beds, int WinterBeds, Position At)
{
    public bool IsBivouac => Beds < 6;

    /// <summary>Metres above the sea.</summary>
    public int? Height { get; init; }

    /// <summary>Months in which somebody is there.</summary>
    public IReadOnlySet<int> Months { get; init; } = new HashSet<int>();

    public override string ToString() => $"shelter {Name} ({Beds}/{WinterBeds})";
}
