#include "bus.h"
#include "climate.h"
#include "outbox.h"
#include "publisher.hpp"
#include "vane.hpp"

#include <iostream>
#include <string>

static void help()
{
    std::cout << "bridge [--config FILE] [--quiet]\n"
                 "  --config FILE  what to read, and where to send it\n";
}

int main(int argc, char **argv)
{
    std::string config = "/etc/bridge.yaml";
    for (int i = 1; i < argc; i++) {
        std::string word = argv[i];
        if (word == "--help") {
            help();
            return 0;
        }
        if (word == "--config" && i + 1 < argc)
            config = argv[++i];
    }
    bus_open();
    // from here on the
    // loop does the work
    // until a signal comes
    const char *file = config.c_str();
    return bridge_run(file, 0);
}
