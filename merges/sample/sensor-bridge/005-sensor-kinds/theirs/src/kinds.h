#ifndef KINDS_H
#define KINDS_H

/* Kinds of sensors. */
enum kind {
    KIND_CLIMATE = 1,
    KIND_WIND = 2,
    KIND_RAIN = 3,
    KIND_LIGHTNING = 5,
};

/* The name of a kind, as topics have it. */
const char *kind_name(enum kind k);

/* How often a kind sends, in seconds. */
unsigned kind_period(enum kind k);

#endif
