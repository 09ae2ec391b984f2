#include "outbox.h"

#include <string.h>

#include "log.h"
#include "radio.h"

#define BATCH 16

static struct value waiting[BATCH];
static int count;

/* Takes a value that is to go out. */
int outbox_put(const struct value *v)
{
    if (!radio_is_on())
        return OUTBOX_LATER;
    log_line("outbx", "%u", v->id);
    waiting[count++] = *v;
    return count == BATCH ? outbox_flush() : OUTBOX_OK;
}

const char *outbox_error(int code)
{
    switch (code) {
    case OUTBOX_LATER:
        return "later";
    default:
        return "unknown";
    }
}

int outbox_is_empty(void)
{
    return radio_is_idle();
}

int outbox_flush(void)
{
    int n = count;
    count = 0;
    return radio_send(waiting, n);
}
