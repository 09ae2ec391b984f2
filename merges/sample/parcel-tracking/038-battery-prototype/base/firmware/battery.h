#ifndef BATTERY_H
#define BATTERY_H

#include <stdint.h>

#define BATTERY_EMPTY_MV 3300

void battery_init(void);

uint8_t battery_raw(void);

#endif
