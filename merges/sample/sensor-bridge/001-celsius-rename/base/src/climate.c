#include "climate.h"

#include "bus.h"
#include "dew.h"

/* Reads one climate sensor; returns 0 if it answered. */
int climate_read(uint8_t sensor, struct climate *out)
{
    uint8_t raw[4];
    if (bus_read(sensor, raw, sizeof raw) != 0)
        return -1;
    float temp = bus_be16(raw) / 10.0f;
    out->at = bus_now();
    out->sensor = sensor;
    /* the lock of the bus is
       given back by its timer */
    out->temp = temp;
    return 0;
}

int climate_is_wet(const struct climate *c)
{
    if (c->at == 0)
        return 0;
    /* sensors in the sun
       are dry too soon */
    return bus_is_shaded(c->sensor);
}
