#ifndef CLIMATE_H
#define CLIMATE_H

#include <stdint.h>

/* What a climate sensor measured. */
struct climate {
    uint32_t at;
    float temp;
    float hum;
    uint8_t sensor;
};

/* What is known of a sensor. */
struct sensor_trim {
    uint8_t sensor;
    int8_t temp_trim; /* tenths of a degree */
};

int climate_read(uint8_t sensor, struct climate *out);

/* Values between two limits are shown on the display. */
#define SHOWN_FROM (-40.0f)
#define SHOWN_TO 85.0f

#endif
