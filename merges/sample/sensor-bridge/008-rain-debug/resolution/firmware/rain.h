#ifndef RAIN_H
#define RAIN_H

#include <stdint.h>

#define RAIN_PIN 7u
#define RAIN_TENTHS_PER_TIP 2u

void rain_init(void);
void rain_tipped(void);
uint16_t rain_take(void);

#endif
