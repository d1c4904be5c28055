
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

/* 2020: before it the machine does not know what day it is */

#define GATEWAY_CLOCK_KNOWN  ((uint64_t) 1577836800000)


/*
 * What is to be added to the monotonic clock, which is at mono, from now on:
 * offset is what was, wanted what would give the time of day; passed are the
 * ms since the last time.  However far apart they are there is no leap: what
 * gateways keep until some time would end at once, or never.  Only a machine
 * that did not know what day it is takes it as soon as it does.
 */
uint64_t gateway_clock_follow(uint64_t offset, uint64_t wanted, uint64_t mono,
    uint64_t passed);


#endif /* _GATEWAY_CLOCK_H_INCLUDED_ */
