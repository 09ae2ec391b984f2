#include "bus.h"
#include "climate.h"
#include "kinds.h"
#include "loop.h"
#include "publisher.hpp"
#include "vane.hpp"

#include <iostream>
#include <string>

static void help()
{
    std::cout << "bridge [--config FILE] [--quiet]\n"
                 "  -c FILE        short for --config\n"
                 "  --config FILE  what to read\n";
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
    if (bus_open() != 0) {
        std::cerr << "no bus\n";
        return 1;
    }
    // from here on the
    // loop does the work
    // until a signal comes
    const char *file = config.c_str();
    return bridge_run(file);
}
