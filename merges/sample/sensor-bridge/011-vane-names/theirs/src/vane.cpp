#include "vane.hpp"

#include <cmath>

namespace bridge {

/// Degrees from north, from the raw value of the vane.
double Vane::degrees(int raw) const
{
    double bearing = raw * 360.0 / 4096 + north_;
    if (is_upside_down_) {
        // the mast hangs from
        // the eaves of a roof
        // and turns backwards
        bearing = -bearing;
    }
    // fmod keeps the sign,
    // so a turn is added for
    // what is below zero
    bearing = std::fmod(bearing, 360.0);
    return bearing < 0 ? bearing + 360.0 : bearing;
}

std::string Vane::point(double angle)
{
    static const char *points[] = {"N", "NE", "E", "SE", "S", "SW", "W", "NW"};
    return points[static_cast<int>(angle / 45) % 8];
}

} // namespace bridge
