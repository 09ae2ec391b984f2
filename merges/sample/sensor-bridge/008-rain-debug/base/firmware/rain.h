#ifndef RAIN_H
#define RAIN_H

#include <stdint.h>

#define RAIN_PIN 3
#define RAIN_TENTHS_PER_TIP 3

void rain_init(void);
void rain_tipped(void);
uint16_t rain_take(void);

#endif
