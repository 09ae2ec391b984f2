#include "decode.h"

#include <string.h>

#define CODE_LENGTH 14

static char last_code[CODE_LENGTH + 1];

/* Copies the code out of a frame; 0 when the frame holds no good code. */
int decode_frame(const unsigned char *frame, size_t length)
{
	size_t size;

	if (length < 3 || frame[0] != 0x02)
		return 0;
	size = frame[1];
	char code[CODE_LENGTH + 1];
	if (size >= sizeof(code) || size + 2 > length)
		return 0;
	memcpy(code, frame + 2, size);
	code[size] = '\0';
	if (strcmp(code, last_code) == 0)
		return 0;
	strcpy(last_code, code);
	return 1;
}

const char *decode_last(void)
{
	return last_code;
}
