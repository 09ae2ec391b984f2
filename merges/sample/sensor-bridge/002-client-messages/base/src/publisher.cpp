#include "publisher.hpp"

#include <courier.h>
#include <string>

namespace bridge {

Publisher::Publisher(courier::Client &client) : client_(client) {}

void Publisher::value(const std::string &topic, const std::string &text)
{
    client_.publish(topic, text, 0, false);
}

void Publisher::alarm(const std::string &text)
{
    // alarms have one topic, so that
    // a phone needs to listen to one
    if (text.empty())
        return;
    client_.urgent("alarm", text, stamp());
}

bool Publisher::is_up() const
{
    return client_.connected();
}

} // namespace bridge
