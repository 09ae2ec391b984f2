#include "json.hpp"

#include <cmath>
#include <sstream>

namespace bridge {

std::string number(double value, int digits)
{
    std::ostringstream out;
    out.setf(std::ios::fixed);
    if (!std::isfinite(value))
        return "null";
    out.precision(digits);
    out << value;
    return out.str();
}

std::string quoted(const std::string &text)
{
    std::string out = "\"";
    for (char c : text) {
        if (c == '"')
            out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string pair(const std::string &name, const std::string &value)
{
    // names are ours, so
    // they need no escapes
    return '"' + name + "\": " + value;
}

} // namespace bridge
