#include "seatbits.h"

#include <stdint.h>

/* One bit for each seat of a row; 1 means taken. Used on the box office terminals. */

#define ROWS 40
#define ROW_WORDS 3

static uint32_t taken[ROWS][ROW_WORDS];

void seat_take(int row, int first, int count)
{
	for (int seat = first; seat < first + count; seat++)
		taken[row][seat / 32] |= UINT32_C(1) << (seat % 32);
}

void seat_clear(int row)
{
	for (int word = 0; word < ROW_WORDS; word++)
		taken[row][word] = 0;
}
