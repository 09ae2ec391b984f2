#include "battery.h"

#include "adc.h"

#define ADC_CHANNEL 3
#define FULL_SCALE_MV 4400u

void battery_init(void)
{
	adc_enable(ADC_CHANNEL);
}

uint16_t battery_millivolts(void)
{
	uint32_t raw = adc_read(ADC_CHANNEL);

	return (uint16_t)(raw * FULL_SCALE_MV / 255u);
}
