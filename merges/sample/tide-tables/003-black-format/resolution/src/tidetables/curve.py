"""The height of the water at any minute."""


class Curve:
    def __init__(self, mean, waves):
        self.mean = mean
        self.waves = waves

    def height(self, day, minute):
        hours = day * 24 + minute / 60
        return self.mean + sum(wave.at(hours) for wave in self.waves)

    def slope(self, day, minute, step=1):
        later = self.height(day, minute + step)
        here = self.height(day, minute)
        return (later - here) / step

    def describe(self):
        names = sorted(wave.name for wave in self.waves)
        return "%s, mean level %s" % ("+".join(names), self.mean)
