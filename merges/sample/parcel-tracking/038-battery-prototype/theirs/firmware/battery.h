#ifndef BATTERY_H
#define BATTERY_H

#include <stdint.h>

#define BATTERY_EMPTY_MV 3300

void battery_init(void);

/* 0 to 100 */
uint8_t battery_percent(void);

#endif
