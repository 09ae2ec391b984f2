#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

namespace bridge {

/// Values on their way from the bus to the broker.
class Queue {
public:
    void put(const climate &value);
    climate take();

private:
    std::mutex lock_;
    std::deque<climate> values_;
};

} // namespace bridge
