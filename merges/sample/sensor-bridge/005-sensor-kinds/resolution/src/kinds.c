#include "kinds.h"

const char *kind_name(enum kind k)
{
    switch (k) {
    case KIND_CLIMATE:
        return "climate";
    case KIND_WIND:
        return "wind";
    case KIND_SOIL:
        return "soil/moisture";
    case KIND_LIGHTNING:
        return "storm";
    default:
        return "other";
    }
}
