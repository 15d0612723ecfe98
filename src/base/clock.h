/* The machine's clocks, for worlds and commands only; decisions ask world.h. And dates as text. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/slice.h"
#include "base/timers.h"

usec clock_now_us(void);  /* monotonic, from an arbitrary start */
usec clock_wall_us(void); /* since the Unix epoch */

/* "2026-01-31T12:00:00Z" (RFC 3339), rounded down to the second. `out` needs CLOCK_TEXT_SIZE bytes. */
#define CLOCK_TEXT_SIZE 32
void clock_format_utc(usec wall_us, char *out);

/* RFC 3339 dates and times: "2026-01-31", "2026-01-31T12:00:00Z", fractions, offsets. No zone means UTC. */
enum status clock_parse_utc(struct slice text, usec *wall_us) MUST_CHECK;

/* Dates of HTTP (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT" and the two older forms of it. */
enum status clock_parse_http(struct slice text, usec *wall_us) MUST_CHECK;

/* A date of the proleptic Gregorian calendar, UTC. */
struct clock_date {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second;
    int weekday; /* 0: Sunday */
};
struct clock_date clock_date_of(usec wall_us);
usec clock_of_date(struct clock_date date); /* weekday is not read; fields out of range carry over */

#endif
