#include "barometer.h"

/* calibrated on 3 February 2024 */
#define SLOPE 0.01218f
#define OFFSET_HPA 887.4f

/* Pressure at the sensor, in hPa. */
float barometer_hpa(uint16_t raw)
{
    if (raw == 0 || raw == UINT16_MAX)
        return NAN;
    return raw * SLOPE + OFFSET_HPA;
}

/* Pressure at the level of the sea. */
float barometer_sea(float hpa, float celsius)
{
    float kelvin = celsius + 273.15f;
    float height = MAST_METRES;
    return hpa * powf(1 + 0.0065f * height / kelvin, 5.257f);
}
