/* The watchdog's sign of life comes from all workers, and only while they live. */
#include "scene.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/serve/supervision.h"

static int
manager_listens(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    int len = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "equipoise-supervision-%d", (int)getpid());
    char name[128];

    assert_int_equal(
        bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)), 0);
    snprintf(name, sizeof(name), "@%s", at.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

/* How many of these have come since the last look; nothing else may have. */
static unsigned
count_heard(int fd, const char *words)
{
    char text[256];
    unsigned count = 0;
    ssize_t got;

    while ((got = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
        text[got] = '\0';
        assert_string_equal(text, words);
        count++;
    }
    return count;
}

static void
it_lives_while_its_workers_do(void **state)
{
    int fd = manager_listens();
    struct scene *s;
    struct supervision supervision;

    setenv("WATCHDOG_USEC", "20000000", 1);
    s = scene_new(state, (struct scene_options){.seed = 1, .workers = 3});
    supervision_init(&supervision, &s->gateway);
    supervision_start(&supervision, history_world(s->history, 0));
    history_run_for(s->history, 95 * USEC_PER_S);
    assert_int_equal(count_heard(fd, "WATCHDOG=1"), 10);
    history_run_until(s->history, supervision.going_round); /* it comes home to one who stops */
    count_heard(fd, "WATCHDOG=1");
    supervision_stop(&supervision);
    scene_rest(s);
    history_run_for(s->history, 60 * USEC_PER_S);
    supervision_ready(&supervision, "Serves."); /* a reload that is over only now */
    assert_int_equal(count_heard(fd, "STOPPING=1"), 1);
    supervision_free(&supervision);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(fd);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(it_lives_while_its_workers_do, scene_teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
