/* What the service manager hears, over real datagram sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "live/notify.h"

struct manager {
    int fd;
    char name[64];
};

/* `name` as in $NOTIFY_SOCKET: a path, or "@...". */
static void
listen_at(struct manager *manager, const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);

    snprintf(manager->name, sizeof(manager->name), "%s", name);
    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    unlink(name);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(manager->fd, (struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] != '@'))),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static void
stop_listening(struct manager *manager)
{
    close(manager->fd);
    if (manager->name[0] != '@')
        unlink(manager->name);
    unsetenv("NOTIFY_SOCKET");
}

static const char *
heard(struct manager *manager)
{
    static char text[1024];
    ssize_t got = recv(manager->fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void
it_is_told_at_a_path_and_at_an_abstract_name(void **state)
{
    char path[64], abstract[64];
    const char *names[] = {path, abstract};

    (void)state;
    snprintf(path, sizeof(path), "/tmp/equipoise-notify-%d", (int)getpid());
    snprintf(abstract, sizeof(abstract), "@equipoise-notify-%d", (int)getpid());
    for (size_t i = 0; i < 2; i++) {
        struct manager manager;
        struct notify *notify;
        long long at = 0;

        listen_at(&manager, names[i]);
        notify = notify_open();
        notify_ready(notify);
        assert_string_equal(heard(&manager), "READY=1");
        notify_reloading(notify);
        assert_int_equal(sscanf(heard(&manager), "RELOADING=1\nMONOTONIC_USEC=%lld", &at), 1);
        assert_true(at > 0);
        notify_alive(notify);
        assert_string_equal(heard(&manager), "WATCHDOG=1");
        notify_stopping(notify);
        assert_string_equal(heard(&manager), "STOPPING=1");
        stop_listening(&manager);
        assert_int_equal(notify_tell(notify, "READY=1"), ERR_IO); /* the manager is gone: no harm */
        notify_close(notify);
    }
}

static void
without_a_manager_nothing_is_told(void **state)
{
    static const char *const bad[] = {"", "x", "relative/path", "@"};
    struct notify *notify;

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify = notify_open();
    assert_int_equal(notify_tell(notify, "READY=1"), OK);
    assert_int_equal(notify_watchdog_us(notify), 0);
    notify_close(notify);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("NOTIFY_SOCKET", bad[i], 1);
        notify = notify_open();
        assert_int_equal(notify_tell(notify, "READY=1"), OK);
        notify_close(notify);
    }
    unsetenv("NOTIFY_SOCKET");
}

static void
a_watchdog_is_for_the_process_it_names(void **state)
{
    char own[32];
    struct manager manager;
    struct notify *notify;

    (void)state;
    listen_at(&manager, "@equipoise-watchdog");
    setenv("WATCHDOG_USEC", "30000000", 1);
    notify = notify_open();
    assert_int_equal(notify_watchdog_us(notify), 15 * USEC_PER_S);
    notify_close(notify);
    setenv("WATCHDOG_PID", "1", 1);
    notify = notify_open();
    assert_int_equal(notify_watchdog_us(notify), 0);
    notify_close(notify);
    snprintf(own, sizeof(own), "%d", (int)getpid());
    setenv("WATCHDOG_PID", own, 1);
    notify = notify_open();
    assert_int_equal(notify_watchdog_us(notify), 15 * USEC_PER_S);
    notify_close(notify);
    setenv("WATCHDOG_USEC", "soon", 1);
    notify = notify_open();
    assert_int_equal(notify_watchdog_us(notify), 0);
    notify_close(notify);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    stop_listening(&manager);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_at_a_path_and_at_an_abstract_name),
        cmocka_unit_test(without_a_manager_nothing_is_told),
        cmocka_unit_test(a_watchdog_is_for_the_process_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
