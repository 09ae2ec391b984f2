#include "frame.h"

#include "crc16.h"

/* Whether a frame came as it was sent. */
int frame_is_good(const uint8_t *frame, size_t size)
{
    if (size < FRAME_HEAD + 1)
        return 0;

    /* the last bytes hold what
       the sender has computed */
    size_t body = size - FRAME_TAIL;
    uint8_t sum = 0;
    for (size_t i = FRAME_HEAD; i < body; i++)
        sum += frame[i];
    return sum == frame[body];
}

const char *frame_sender(const uint8_t *frame)
{
    static const char *names[] = {"roof", "garden", "well"};
    return names[frame[0]];
}

void frame_clear(uint8_t *frame)
{
    /* old bytes must not look
       like a new frame */
    memset(frame, 0, FRAME_MOST);
}
