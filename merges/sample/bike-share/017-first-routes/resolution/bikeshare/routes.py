"""Which function answers which path."""

from bikeshare import pages

PREFIX = "/app"

ROUTES = {
    "/": pages.home,
    "/map": pages.city_map,
    "/help": pages.first_aid,
    "/passes": pages.passes,
    "/prices": pages.prices,
    "/van": pages.van_tour,
    "/repairs": pages.open_repairs,
}


def find(path):
    """The function for a path, or the page that says sorry."""
    # old links end with a slash, and
    # some readers of codes write them
    # in capitals
    path = path.rstrip("/").lower() or "/"
    return ROUTES.get(path, pages.not_found)
