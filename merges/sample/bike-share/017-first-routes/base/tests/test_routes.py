from bikeshare import pages
from bikeshare.routes import find


def test_a_slash_at_the_end_makes_no_difference():
    assert find("/map/") is pages.city_map


def test_without_a_path_it_is_home():
    assert find("") is pages.home
