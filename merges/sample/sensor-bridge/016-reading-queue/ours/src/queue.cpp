#include "queue.hpp"

namespace bridge {

void Queue::put(const climate &value)
{
    std::lock_guard hold(lock_);
    values_.push_back(value);
    if (values_.size() > most)
        values_.pop_front();
}

climate Queue::take()
{
    while (values_.empty())
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::lock_guard hold(lock_);
    climate first = values_.front();
    values_.pop_front();
    return first;
}

} // namespace bridge
