#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

/* A frame: who sends, how long it is, the body, and a
   checksum; since protocol 3 it is a CRC of 16 bits. */
#define FRAME_HEAD 2
#define FRAME_TAIL 1
#define FRAME_MOST 64

int frame_is_good(const uint8_t *frame, size_t size);
void frame_clear(uint8_t *frame);

#endif
