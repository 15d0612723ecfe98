/* Telling the service manager how it goes (sd_notify(3)): a datagram to the socket that $NOTIFY_SOCKET names. Without that
 * variable nothing is told. From any thread. */
#ifndef LIVE_NOTIFY_H
#define LIVE_NOTIFY_H

#include "base/status.h"
#include "base/timers.h"

struct notify;

/* Reads the environment: $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. */
struct notify *notify_open(void);
void notify_close(struct notify *notify);

/* Lines of NAME=VALUE. ERR_IO with errno set: nobody listens. Fine when nobody asked to be told. */
enum status notify_tell(struct notify *notify, const char *format, ...) PRINTF_LIKE(2, 3);

void notify_ready(struct notify *notify);     /* serves, or serves again */
void notify_reloading(struct notify *notify); /* with the monotonic time, as Type=notify-reload wants it */
void notify_stopping(struct notify *notify);
void notify_alive(struct notify *notify);

/* How often to tell that it is alive, half of what is allowed; 0: nobody watches. */
usec notify_watchdog_us(const struct notify *notify);

#endif
