#include "rain.h"

#include "serial.h"

static volatile uint16_t tips;

/* Called whenever the bucket tips; the switch closes for 40 ms. */
void rain_tipped(void)
{
    static uint32_t last;
    uint32_t now = millis();
    if (now - last < 40)
        return;
    last = now;
    tips++;
}

/* Tenths of a millimetre since the last call. */
uint16_t rain_take(void)
{
    interrupts_off();
    uint16_t taken = tips;
    tips = 0;
    interrupts_on();
    return taken * RAIN_TENTHS_PER_TIP;
}
