#include "vane.hpp"

#include <cmath>

namespace bridge {

/// Degrees from north, from the raw value of the vane.
double Vane::degrees(int raw) const
{
    double direction = raw * 360.0 / 4096 + north_;
    if (is_upside_down_) {
        // the mast hangs from
        // the eaves of a roof
        // and turns backwards
        d = -d;
    }
    // fmod keeps the sign,
    // so a turn is added for
    // what is below zero
    direction = std::fmod(direction + 360.0 * 2, 360.0);
    if (direction < 0)
        direction += 360.0;
    return direction;
}

std::string Vane::point(double angle)
{
    static const char *points[] = {"N", "NE", "E", "SE", "S", "SW", "W", "NW"};
    return points[std::lround(angle / 45) % 8];
}

} // namespace bridge
