#include "battery.h"

#include "adc.h"

#define ADC_CHANNEL 3
#define FULL_SCALE_MV 4400u

void battery_init(void)
{
	adc_enable(ADC_CHANNEL);
}

uint8_t battery_raw(void)
{
	return adc_read(ADC_CHANNEL);
}
