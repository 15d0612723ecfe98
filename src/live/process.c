#include "live/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/status.h"

enum {
    FILES_OWN = 64,       /* journal, ledger, listeners, pipes of commands */
    FILES_OF_WORKER = 16, /* its loop, and the connections it keeps for the admin's pages */
    FILES_MOST = 1 << 20, /* more would not be used; some systems allow numbers that do not fit */
    CLIENTS_LEAST = 8,    /* even if they may fail */
    CLIENTS_MOST = 16384,
    FILES_OF_CLIENT = 2 /* its own, and one to a backend */
};

unsigned
process_raise_files(void)
{
    struct rlimit files;
    int failed = getrlimit(RLIMIT_NOFILE, &files);

    ENSURE(!failed);
    if (files.rlim_cur < files.rlim_max && files.rlim_cur < FILES_MOST) {
        rlim_t before = files.rlim_cur;

        files.rlim_cur = files.rlim_max < FILES_MOST ? files.rlim_max : FILES_MOST;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            files.rlim_cur = before;
    }
    return files.rlim_cur < FILES_MOST ? (unsigned)files.rlim_cur : FILES_MOST;
}

void
process_keep_memory_private(void)
{
    const struct rlimit none = {0, 0};

    /* Neither can fail with these arguments; if it did, there would be nothing better to do than to serve. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void
mask_hangups(int how)
{
    sigset_t hangups;

    sigemptyset(&hangups);
    sigaddset(&hangups, SIGHUP);
    (void)pthread_sigmask(how, &hangups, NULL); /* cannot fail with these */
}

void
process_hold_hangups(void)
{
    mask_hangups(SIG_BLOCK);
}

void
process_let_hangups_in(void)
{
    mask_hangups(SIG_UNBLOCK);
}

unsigned
process_clients_of(unsigned files, unsigned workers)
{
    unsigned own = FILES_OWN + FILES_OF_WORKER * workers;
    unsigned clients = files > own ? (files - own) / FILES_OF_CLIENT / workers : 0;

    return clients < CLIENTS_LEAST ? CLIENTS_LEAST : clients > CLIENTS_MOST ? CLIENTS_MOST : clients;
}
