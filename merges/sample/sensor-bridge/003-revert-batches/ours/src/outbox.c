#include "outbox.h"

#include <string.h>

#include "log.h"
#include "radio.h"

/* Takes a value that is to go out. */
int outbox_put(const struct value *v)
{
    if (!radio_is_on())
        return OUTBOX_LATER;
    log_line("outbx", "%u", v->id);
    return radio_send(v, 1);
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
