#include "publisher.hpp"

#include <courier/message.hpp>
#include <string>

namespace bridge {

Publisher::Publisher(courier::Client &client) : client_(client) {}

void Publisher::value(const std::string &topic, const std::string &text)
{
    client_.send(courier::Message{topic, text}.quality(0));
}

void Publisher::alarm(const std::string &text)
{
    // alarms have one topic, so that
    // a phone needs to listen to one
    if (text.empty())
        return;
    client_.send(courier::Message{"alarm", text}.at(stamp()).urgent());
}

bool Publisher::is_up() const
{
    return client_.connected();
}

} // namespace bridge
