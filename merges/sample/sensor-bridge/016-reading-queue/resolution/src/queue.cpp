#include "queue.hpp"

namespace bridge {

void Queue::put(const climate &value)
{
    std::lock_guard hold(lock_);
    values_.push_back(value);
    if (values_.size() > most)
        values_.pop_front();
    filled_.notify_one();
}

climate Queue::take()
{
    std::unique_lock hold(lock_);
    filled_.wait(hold, [this] { return !values_.empty(); });
    climate first = values_.front();
    values_.pop_front();
    return first;
}

void Queue::close()
{
    filled_.notify_all();
}

} // namespace bridge
