/* Random histories by the million:
 *
 *     chaos [--from SEED] [--count N] [--jobs J] [--quiet]      plays them, in J processes
 *     chaos --seed SEED [--drop c0,e1] [--verbose]              plays one, says its script
 *
 * With --kill each history is stopped dead somewhere, and what is left is recovered (chaos_kill.h).
 *
 * A seed that fails is tried again with parts of its script left out, as long as it still fails, and the rest is printed.
 * Exit status 1: some did. */
#include "chaos_kill.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "allocations.h"

enum { JOBS_MOST = 64, FAILURES_MOST = 5 };

struct player {
    atomic_uint_fast64_t seed; /* being played */
    atomic_uint_fast64_t played;
    pid_t process;
};

struct options {
    uint64_t from, count, seed;
    unsigned jobs;
    const char *drop;
    bool verbose, quiet;
    char *folder; /* --kill; NULL: the history is played to its end */
};

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

enum { SQLITE_EVERY = 10 }; /* of the kills: the others keep their ledger in memory */

static void
play_once(void **state, const struct chaos_script *script, const struct options *options)
{
    if (options->folder != NULL)
        chaos_kill(state, script, options->folder, script->seed % SQLITE_EVERY == 0);
    else
        chaos_play(state, script);
}

/* One history. All memory must have come back; what is allocated once and kept does not come a second time. */
static void
play(void **state, const struct chaos_script *script, const struct options *options)
{
    int64_t before = allocations_outstanding();

    play_once(state, script, options);
    if (allocations_outstanding() == before)
        return;
    before = allocations_outstanding();
    play_once(state, script, options);
    if (allocations_outstanding() == before)
        return;
    fprintf(stderr, "%" PRId64 " pieces of memory were not freed\n", allocations_outstanding() - before);
    exit(1);
}

static void
drop_parts(struct chaos_script *script, const char *list)
{
    struct slice rest = slice_of(list);

    while (rest.len > 0) {
        struct slice part = slice_split(&rest, ',');
        bool client = slice_starts(part, "c");
        uint64_t number = 0;

        if (!(client || slice_starts(part, "e")) || text_parse_u64(slice_from(part, 1), &number) != OK ||
            number >= (client ? script->client_count : script->event_count)) {
            fprintf(stderr, "chaos: --drop: there is no part \"%.*s\" in this script\n", SLICE_ARGS(part));
            exit(2);
        }
        *chaos_part(script, (client ? 0 : script->client_count) + number) = true;
    }
}

/* Trying a script in a process of its own. */

/* As cmocka wants it, so that it says what failed. */
struct trial {
    void *scene; /* what is being played, first: scene_teardown prints it */
    const struct chaos_script *script;
    const struct options *options;
};

static void
try_it(void **state)
{
    struct trial *trial = *state;

    play(&trial->scene, trial->script, trial->options);
}

static int
end_trial(void **state)
{
    struct trial *trial = *state;

    return scene_teardown(&trial->scene);
}

static _Noreturn void
try_here(const struct chaos_script *script, const struct options *options)
{
    struct trial trial = {NULL, script, options};
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate_setup_teardown(try_it, NULL, end_trial, &trial)};

    _exit(cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1);
}

static bool
try_fails(const struct chaos_script *script, const struct options *options, bool show)
{
    pid_t process;
    int status = 0;

    fflush(NULL);
    process = fork();
    if (process == 0) {
        if (!show && (freopen("/dev/null", "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL))
            _exit(1);
        try_here(script, options);
    }
    if (process < 0 || waitpid(process, &status, 0) != process) {
        perror("chaos");
        exit(2);
    }
    return status != 0;
}

/* Leaves out whatever is not needed for it to fail. */
static void
shrink(struct chaos_script *script, const struct options *options)
{
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = chaos_parts(script); i-- > 0;) {
            bool *dropped = chaos_part(script, i);

            if (*dropped)
                continue;
            *dropped = true;
            if (try_fails(script, options, false))
                again = true;
            else
                *dropped = false;
        }
    }
}

static void
report(uint64_t seed, const struct options *options)
{
    static struct chaos_script script;

    chaos_write(seed, &script);
    script.killed = options->folder != NULL;
    printf("\nSeed %" PRIu64 " FAILED.\n", seed);
    shrink(&script, options);
    chaos_print(&script, stdout);
    puts("What happens:");
    if (!try_fails(&script, options, true))
        puts("(It does not fail when played alone: what went before it matters.)");
    fflush(stdout);
}

/* Many */

static void
run_player(struct player *player, struct options *options, uint64_t first)
{
    static struct chaos_script script;
    void *state = NULL;

    if (freopen("/dev/null", "w", stderr) == NULL)
        _exit(2);
    if (options->folder != NULL)
        options->folder = chaos_kill_folder(); /* this process's copy; the same name is nobody else's */
    for (uint64_t seed = first; seed < options->from + options->count; seed += options->jobs) {
        atomic_store(&player->seed, seed);
        chaos_write(seed, &script);
        play(&state, &script, options);
        atomic_fetch_add(&player->played, 1);
    }
    if (options->folder != NULL)
        rmdir(options->folder);
    _exit(0);
}

static void
start_player(struct player *player, struct options *options, uint64_t first)
{
    pid_t process;

    fflush(NULL);
    process = fork();
    if (process == 0)
        run_player(player, options, first);
    if (process < 0) {
        perror("chaos");
        exit(2);
    }
    player->process = process; /* by us alone: the memory is shared */
}

static uint64_t
played_by_all(struct player *players, const struct options *options)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < options->jobs; i++)
        sum += atomic_load(&players[i].played);
    return sum;
}

static void
say_progress(struct player *players, const struct options *options, double started)
{
    uint64_t played = played_by_all(players, options);

    if (options->quiet || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " histories, %.0f a second ", played, options->count,
            (double)played / (seconds() - started));
}

/* A job that died is replaced by one that goes on behind the seed that it died of. Returns how many are left. */
static unsigned
tend(struct player *players, struct options *options, unsigned running, unsigned *failures)
{
    int status;
    pid_t process = waitpid(-1, &status, WNOHANG);

    if (process <= 0) {
        usleep(100000);
        return running;
    }
    for (unsigned i = 0; i < options->jobs; i++) {
        if (players[i].process != process)
            continue;
        if (status == 0)
            return running - 1;
        report(atomic_load(&players[i].seed), options);
        if (++*failures >= FAILURES_MOST)
            return running - 1;
        start_player(&players[i], options, atomic_load(&players[i].seed) + options->jobs);
    }
    return running;
}

static int
play_many(struct options *options)
{
    struct player *players =
        mmap(NULL, JOBS_MOST * sizeof(struct player), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned running = options->jobs, failures = 0;
    double started = seconds();

    if (players == MAP_FAILED) {
        perror("chaos");
        return 2;
    }
    for (unsigned i = 0; i < options->jobs; i++)
        start_player(&players[i], options, options->from + i);
    while (running > 0) {
        say_progress(players, options, started);
        running = tend(players, options, running, &failures);
    }
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
    printf("result: %" PRIu64 " %s from seed %" PRIu64 " in %.0f s (%.0f a second), %u failed\n",
           played_by_all(players, options), options->folder != NULL ? "kills" : "histories", options->from,
           seconds() - started, (double)played_by_all(players, options) / (seconds() - started), failures);
    return failures > 0 ? 1 : 0;
}

static int
play_one(const struct options *options)
{
    static struct chaos_script script;

    chaos_write(options->seed, &script);
    script.killed = options->folder != NULL;
    if (options->drop != NULL)
        drop_parts(&script, options->drop);
    chaos_print(&script, stdout);
    if (try_fails(&script, options, options->verbose)) {
        puts("It fails.");
        return 1;
    }
    puts("It holds.");
    return 0;
}

static uint64_t
number_of(const char *text, const char *option)
{
    uint64_t number;

    if (text_parse_u64(slice_of(text), &number) != OK) {
        fprintf(stderr, "chaos: --%s wants a number, not \"%s\"\n", option, text);
        exit(2);
    }
    return number;
}

int
main(int argc, char **argv)
{
    static const struct option names[] = {{"from", required_argument, NULL, 'f'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"jobs", required_argument, NULL, 'j'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"drop", required_argument, NULL, 'd'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"kill", no_argument, NULL, 'k'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.from = 1, .count = 2000, .jobs = 1};
    int given;

    while ((given = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (given) {
        case 'f':
            options.from = number_of(optarg, "from");
            break;
        case 'c':
            options.count = number_of(optarg, "count");
            break;
        case 'j':
            options.jobs = (unsigned)number_of(optarg, "jobs");
            break;
        case 's':
            options.seed = number_of(optarg, "seed");
            break;
        case 'd':
            options.drop = optarg;
            break;
        case 'v':
            options.verbose = true;
            break;
        case 'q':
            options.quiet = true;
            break;
        case 'k':
            options.folder = chaos_kill_folder();
            break;
        default:
            return 2;
        }
    }
    if (options.jobs == 0 || options.jobs > JOBS_MOST) {
        fprintf(stderr, "chaos: --jobs wants 1 to %d\n", JOBS_MOST);
        return 2;
    }
    given = options.seed != 0 ? play_one(&options) : play_many(&options);
    if (options.folder != NULL)
        rmdir(options.folder);
    free(options.folder);
    return given;
}
