
#include "gateway_clock.h"


uint64_t
gateway_clock_follow(uint64_t offset, uint64_t wanted, uint64_t mono,
    uint64_t passed)
{
    int64_t  apart, most;

    apart = (int64_t) (wanted - offset);
    most = (int64_t) (passed / GATEWAY_CLOCK_PART);

    if (mono + offset < GATEWAY_CLOCK_KNOWN
        && mono + wanted >= GATEWAY_CLOCK_KNOWN)
    {
        return wanted;
    }

    if (apart > most) {
        return offset + (uint64_t) most;
    }

    if (apart < -most) {
        return offset - (uint64_t) most;
    }

    return wanted;
}
