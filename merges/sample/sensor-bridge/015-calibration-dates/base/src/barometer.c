#include "barometer.h"

/* calibrated on 9 March 2022 */
#define SLOPE 0.01221f
#define OFFSET_HPA 889.0f

/* Pressure at the sensor, in hPa. */
float barometer_hpa(uint16_t raw)
{
    if (raw == 0)
        return 0;
    return raw * SLOPE + OFFSET_HPA;
}

/* Pressure at the level of the sea. */
float barometer_sea(float hpa, float celsius)
{
    float kelvin = celsius + 273.15f;
    return hpa * powf(1 + 0.0065f * 212 / kelvin, 5.257f);
}
