
/*
 * The clock that records are kept by: ms like those of the time of day, which
 * other gateways know, too, but from a monotonic clock, so that it never leaps
 * or stands still when the time of day is set.  Pure.
 */


#ifndef _GATEWAY_CLOCK_H_INCLUDED_
#define _GATEWAY_CLOCK_H_INCLUDED_


#include "pocket_base.h"


/* it follows the time of day by this part of the time that passes */

#define GATEWAY_CLOCK_PART   8

/* beyond this the machine did not know what day it is, or has slept */

#define GATEWAY_CLOCK_LEAP   ((int64_t) 86400000)


/*
 * What is to be added to the monotonic clock from now on, after ms of it have
 * passed: offset is what was, wanted what would give the time of day.
 */
uint64_t gateway_clock_follow(uint64_t offset, uint64_t wanted,
    uint64_t passed);


#endif /* _GATEWAY_CLOCK_H_INCLUDED_ */
