#include "seatbits.h"

#include <stdint.h>

/* One bit for each seat of a row; 1 means taken. Used on the box office terminals. */

#define ROWS 40

static uint32_t taken[ROWS];

int seat_take(int row, int first, int count)
{
	uint32_t wanted = ((UINT32_C(1) << count) - 1) << first;

	if (taken[row] & wanted)
		return -1;
	taken[row] |= wanted;
	return 0;
}

void seat_clear(int row)
{
	taken[row] = 0;
}
