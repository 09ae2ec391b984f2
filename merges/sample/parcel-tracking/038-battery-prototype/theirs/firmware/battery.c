#include "battery.h"

#include "adc.h"

#define ADC_CHANNEL 3
#define FULL_SCALE_MV 4400u

void battery_init(void)
{
	adc_enable(ADC_CHANNEL);
}

uint8_t battery_percent(void)
{
	uint32_t raw = adc_read(ADC_CHANNEL);

	return raw * 100u / 255u;
}
