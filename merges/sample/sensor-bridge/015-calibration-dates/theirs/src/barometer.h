#ifndef BAROMETER_H
#define BAROMETER_H

#include <stdint.h>

/* Where the sensor is. */
#define HEIGHT 218.5f /* above the sea, by GPS */

float barometer_hpa(uint16_t raw);
float barometer_sea(float hpa, float celsius);

/* Whether the weather turns. */
int barometer_falls(const float *hpa, int hours);

#endif
