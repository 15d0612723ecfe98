#include "live/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { TEXT_BYTES_MOST = 512 };

struct notify {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un address;
    socklen_t address_len;
    usec watchdog_us;
};

/* "/run/..." or "@...", a name in the abstract namespace of Linux. */
static bool
read_address(struct notify *notify, const char *path)
{
    size_t len = path != NULL ? strlen(path) : 0;

    if (len < 2 || len >= sizeof(notify->address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return false;
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, path, len);
    notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (path[0] == '@')
        notify->address.sun_path[0] = '\0';
    else
        notify->address_len++; /* with its NUL */
    return true;
}

static bool
read_number(const char *name, uint64_t *out)
{
    const char *text = getenv(name);

    return text != NULL && text_parse_u64(slice_of(text), out) == OK;
}

struct notify *
notify_open(void)
{
    struct notify *notify = must_calloc(1, sizeof(*notify));
    uint64_t watchdog_us = 0, watched = (uint64_t)getpid();

    notify->fd = -1;
    if (!read_address(notify, getenv("NOTIFY_SOCKET")))
        return notify;
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    read_number("WATCHDOG_PID", &watched);
    if (read_number("WATCHDOG_USEC", &watchdog_us) && watched == (uint64_t)getpid() && watchdog_us < INT64_MAX)
        notify->watchdog_us = (usec)watchdog_us;
    return notify;
}

void
notify_close(struct notify *notify)
{
    if (notify == NULL)
        return;
    if (notify->fd >= 0)
        close(notify->fd);
    free(notify);
}

enum status
notify_tell(struct notify *notify, const char *format, ...)
{
    char text[TEXT_BYTES_MOST];
    va_list arguments;
    int len;

    if (notify->fd < 0)
        return OK;
    va_start(arguments, format);
    len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    ENSURE(len > 0 && (size_t)len < sizeof(text));
    /* Without waiting: a manager that takes nothing must not hold up who serves. */
    if (sendto(notify->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&notify->address,
               notify->address_len) == len)
        return OK;
    return ERR_IO;
}

void
notify_ready(struct notify *notify)
{
    (void)notify_tell(notify, "READY=1");
}

void
notify_reloading(struct notify *notify)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)notify_tell(notify, "RELOADING=1\nMONOTONIC_USEC=%lld",
                      (long long)now.tv_sec * 1000000 + (long long)now.tv_nsec / 1000);
}

void
notify_stopping(struct notify *notify)
{
    (void)notify_tell(notify, "STOPPING=1");
}

void
notify_alive(struct notify *notify)
{
    (void)notify_tell(notify, "WATCHDOG=1");
}

usec
notify_watchdog_us(const struct notify *notify)
{
    return notify->watchdog_us / 2;
}
