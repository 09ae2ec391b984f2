#include "check.h"
#include "outbox.h"
#include "fake_radio.h"

CHECK(a_value_waits_while_the_radio_is_off)
{
    struct value v = {.id = 7};
    fake_radio(0);
    EQUAL(outbox_put(&v), OUTBOX_LATER);
}

CHECK(values_go_out_while_it_is_on)
{
    struct value v = {.id = 8};
    fake_radio(1);
    EQUAL(outbox_put(&v), OUTBOX_OK);
    EQUAL(fake_radio_sent(), 1);
}
