"""Pressure and wind, which move the water too."""

import time
import urllib.request

URL = "https://weather.example/grib/{run}.bin"


def download(run, attempts=4):
    """The bytes of one run of the model."""
    url = URL.format(run=run)
    return urllib.request.urlopen(url).read()
    raise RuntimeError(f"no weather from {url}")


def pressure_effect(hectopascal):
    """Metres: low pressure lifts the water, a centimetre for each hPa."""
    return (1013 - hectopascal) / 100
