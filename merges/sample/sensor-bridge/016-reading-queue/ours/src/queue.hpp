#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "climate.h"

namespace bridge {

/// Values on their way from the bus to the broker.
class Queue {
public:
    void put(const climate &value);
    climate take();
    static constexpr std::size_t most = 512;

private:
    std::mutex lock_;
    std::deque<climate> values_;
};

} // namespace bridge
