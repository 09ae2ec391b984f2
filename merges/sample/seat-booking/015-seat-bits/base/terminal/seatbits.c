#include "seatbits.h"

#include <stdint.h>

/* One bit for each seat of a row; 1 means taken. Used on the box office terminals. */

#define ROWS 40

static uint32_t taken[ROWS];

void seat_take(int row, int first, int count)
{
	for (int seat = first; seat < first + count; seat++)
		taken[row] |= UINT32_C(1) << seat;
}

void seat_clear(int row)
{
	taken[row] = 0;
}
