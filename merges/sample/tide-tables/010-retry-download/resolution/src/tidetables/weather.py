"""Pressure and wind, which move the water too."""

import time
import urllib.request

URL = "https://weather.example/grib/{run:%Y%m%d%H}.bin"


def download(run, attempts=4):
    """The bytes of one run of the model."""
    url = URL.format(run=run)
    for attempt in range(attempts):
        try:
            return urllib.request.urlopen(url, timeout=30).read()
        except OSError:
            time.sleep(10 * 2**attempt)
    raise RuntimeError(f"no weather from {url}")


def pressure_effect(hectopascal):
    """Metres: low pressure lifts the water, a centimetre for each hPa."""
    return (1013.25 - hectopascal) / 100
