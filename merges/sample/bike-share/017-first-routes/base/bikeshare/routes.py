"""Which function answers which path."""

from bikeshare import pages

ROUTES = {
    "/": pages.home,
    "/map": pages.city_map,
    "/help": pages.first_aid,
    # more to come, see the drafts
}


def find(path):
    """The function for a path, or the page that says sorry."""
    # old links end with a slash, and
    # some readers of codes write them
    # in capitals
    path = path.rstrip("/").lower() or "/"
    return ROUTES[path]
