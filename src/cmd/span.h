/* --since and --until: a date, or how long ago. */
#ifndef CMD_SPAN_H
#define CMD_SPAN_H

#include "base/timers.h"

/* "24h", "7d", "90m" before `now`, or a date or time as base/clock.h reads them. False, having said what is wrong: the
 * exit status is CMD_USAGE. */
bool span_parse(const char *option, const char *text, usec now, usec *out);

#endif
