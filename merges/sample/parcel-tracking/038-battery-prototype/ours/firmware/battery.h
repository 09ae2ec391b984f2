#ifndef BATTERY_H
#define BATTERY_H

#include <stdint.h>

#define BATTERY_EMPTY_MV 3300

void battery_init(void);

/* The voltage of the battery in millivolts; 0 while it is being changed. */
uint16_t battery_millivolts(void);

#endif
