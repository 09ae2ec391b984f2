namespace TrailMaps.Weather;

public sealed class Station
{
    private readonly IFeed feed;
    private Reading? last;

    public Station(IFeed feed) => this.feed = feed;

    /// <summary>The newest reading that makes sense.</summary>
    public Reading? Read()
    {
        var reading = feed.Latest();
        if (reading is null || reading.Values.Any(value => !double.IsFinite(value)))
        {
            return last;
        }
        last = reading;
        return reading;
    }

    /// <summary>Warns of wind above the limit.</summary>
    public bool IsStormy(double limit) => last?.Wind > limit;

    private readonly Policy retry = Policy.After(seconds: 2, times: 3);

    public string Id { get; init; } = "";

    public Position At { get; init; } = Position.Zero;

    public override string ToString() => $"{Id} at {At}";
}
