#include "feedback.h"

#include "board.h"
#include "settings.h"

/* How the scanner tells its user that a code was read. */

void feedback_ok(void)
{
	led_blink(LED_GREEN, 1);
#ifdef BOARD_HS1
	if (!settings_get()->silent)
		buzzer_tone(2700, settings_get()->tone_ms);
#endif
}

void feedback_error(void)
{
	led_blink(LED_RED, 3);
#ifdef BOARD_HS1
	buzzer_tone(400, 300);
#endif
}

void feedback_low_battery(void)
{
	led_blink(LED_RED, 1);
}
