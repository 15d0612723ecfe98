#include "chaos_kill.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "live/ledger_tail.h"
#include "money/ledger/ledger_memory.h"
#include "money/ledger/ledger_sqlite.h"

enum { SEGMENT_BYTES_LEAST = 4096, WORKERS_OF_SCRIPTS = 4, STEPS_MOST = 900 };

/* What the dead process left, and what is known of it. */
struct remains {
    struct rng rng;
    const struct chaos_script *script;
    const char *folder;
    enum chaos_tail tail;
    bool damaged;  /* records may be missing */
    bool unbooked; /* the journal failed while requests were served all the same */
    usec wall_us;  /* when it died */
    struct buffer journals[WORKERS_OF_SCRIPTS];
    size_t calls[CHAOS_CLIENTS_MOST];
    uint64_t next_sequence;
    struct log log;
    struct ledger *ledger;
    struct ledger_store *store;
    unsigned steps_left; /* of the first recovery, before it dies too */
};

/* The files */

char *
chaos_kill_folder(void)
{
    char path[] = "/dev/shm/equipoise-XXXXXX", elsewhere[] = "/tmp/equipoise-XXXXXX";
    char *made = mkdtemp(path);

    if (made == NULL)
        made = mkdtemp(elsewhere);
    if (made == NULL) {
        perror("chaos_kill_folder");
        exit(2);
    }
    return must_strdup(made);
}

static void
clear_folder(const char *folder)
{
    DIR *open = opendir(folder);
    struct dirent *entry;

    ENSURE(open != NULL);
    while ((entry = readdir(open)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(open), entry->d_name, 0);
    closedir(open);
}

static char *
path_in(const struct remains *remains, const char *name)
{
    struct buffer path = {0};

    buffer_printf(&path, "%s/%s", remains->folder, name);
    buffer_add_byte(&path, '\0');
    return path.data;
}

static void
open_ledger(struct remains *remains, bool sqlite)
{
    struct problems problems;
    char *path = path_in(remains, "ledger.db");

    problems_init(&problems);
    if (sqlite)
        assert_int_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &remains->store), OK);
    else if (remains->store == NULL)
        remains->store = ledger_memory_open();
    assert_int_equal(ledger_open(remains->store, &remains->ledger), OK);
    problems_free(&problems);
    free(path);
}

/* The next record of a worker's journal. */
static struct slice
next_record(struct slice *rest)
{
    struct slice before = *rest;
    struct journal_record record;

    assert_int_equal(journal_take(rest, &record), OK);
    return slice_first(before, (size_t)(rest->data - before.data));
}

static struct segment *
new_segment(struct remains *remains, unsigned worker)
{
    size_t size = (size_t)SEGMENT_BYTES_LEAST << rng_below(&remains->rng, 4);
    struct segment *segment = NULL;

    assert_int_equal(segment_create(remains->folder, worker, remains->next_sequence++, size, &segment), OK);
    return segment;
}

/* Damages the file behind byte `start` of what was written to it. */
static void
damage(struct remains *remains, const char *path, size_t start, size_t end)
{
    size_t at = start + rng_below(&remains->rng, end - start + 1);
    int file = open(path, O_RDWR | O_CLOEXEC);
    char bytes[4096];

    ENSURE(file >= 0);
    if (remains->tail == TAIL_TORN) { /* the length, its first 4 bytes, is not there yet */
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)rng_next(&remains->rng);
        memset(bytes, 0, 4);
        ENSURE(pwrite(file, bytes, 8 + rng_below(&remains->rng, 500), (off_t)end) > 0);
    } else if (remains->tail == TAIL_CUT) {
        memset(bytes, 0, sizeof(bytes));
        for (; at < end; at += sizeof(bytes))
            ENSURE(pwrite(file, bytes, end - at < sizeof(bytes) ? end - at : sizeof(bytes), (off_t)at) > 0);
    } else {
        for (size_t flips = 1 + rng_below(&remains->rng, 8); flips-- > 0 && at < end;) {
            off_t where = (off_t)(at + rng_below(&remains->rng, end - at));

            ENSURE(pread(file, bytes, 1, where) == 1);
            bytes[0] ^= (char)(1 << rng_below(&remains->rng, 8));
            ENSURE(pwrite(file, bytes, 1, where) == 1);
        }
    }
    close(file);
}

/* A segment that nothing is appended to any more; its worker may have been killed in it. */
static void
leave_segment(struct remains *remains, struct segment *segment, bool last)
{
    char *path = must_strdup(segment->path);
    size_t end = segment->end, room = segment->size - end;

    if (!last)
        segment_seal(segment);
    segment_free(segment, false);
    if (last && remains->tail != TAIL_WHOLE && (remains->tail != TAIL_TORN || room > 600))
        damage(remains, path, SEGMENT_HEAD_BYTES, end);
    free(path);
}

/* A worker's journal as its segments, of which the ledger had taken over the first `applied` records. */
static void
leave_journal(struct remains *remains, unsigned worker)
{
    struct slice rest = buffer_content(&remains->journals[worker]);
    struct segment *segment = new_segment(remains, worker);
    size_t applied = rng_below(&remains->rng, 3) == 0 ? rng_below(&remains->rng, 20) : 0;

    while (rest.len > 0) {
        struct slice record = next_record(&rest);

        while (segment_append(segment, record) != OK) {
            leave_segment(remains, segment, false);
            segment = new_segment(remains, worker);
        }
        if (applied == 0)
            continue;
        applied--;
        assert_int_equal(ledger_apply(remains->ledger, record), OK);
        assert_int_equal(ledger_set_position(remains->ledger, segment->sequence, segment->end), OK);
    }
    leave_segment(remains, segment, true);
}

static void
leave_journals(struct remains *remains)
{
    remains->next_sequence = 1 + rng_below(&remains->rng, 100);
    assert_int_equal(ledger_begin(remains->ledger), OK);
    for (unsigned i = 0; i < remains->script->workers; i++)
        leave_journal(remains, i);
    assert_int_equal(ledger_commit(remains->ledger), OK);
}

/* Dying */

/* Whatever the gateway does from now on, nobody sees it. */
static void
sweep_up(struct chaos *chaos)
{
    struct history *history = chaos->scene->history;

    history_fail_appends(history, history_appends(history) + 1, UINT64_MAX / 2, ERR_IO);
    history_strike(history, &(struct fault){.kind = FAULT_CLIENT_LEAVES});
    history_run_to_rest(history);
    chaos_end(chaos);
}

static void
die(struct remains *remains, void **state)
{
    struct chaos *chaos = chaos_begin(state, remains->script);
    uint64_t steps = 1 + rng_below(&remains->rng, STEPS_MOST);

    while (steps-- > 0 && chaos_step(chaos))
        ;
    for (unsigned i = 0; i < remains->script->workers; i++)
        buffer_add(&remains->journals[i], history_journal(chaos->scene->history, i));
    chaos_count_calls(chaos, remains->calls);
    remains->unbooked = chaos_serves_unbooked(chaos) && chaos->scene->journal_fails;
    remains->wall_us = history_world(chaos->scene->history, 0)->ops->wall_us(history_world(chaos->scene->history, 0));
    sweep_up(chaos);
}

/* Recovery */

static enum status
die_in_recovery(void *user, enum ledger_step step)
{
    struct remains *remains = user;

    (void)step;
    if (remains->steps_left == 0)
        return ERR_IO;
    remains->steps_left--;
    return OK;
}

static enum status
recover_once(struct remains *remains)
{
    struct ledger_tail_options options = {.journal_dir = remains->folder,
                                          .batch_records = 1 + rng_below(&remains->rng, 20),
                                          .log = &remains->log,
                                          .fault = die_in_recovery,
                                          .fault_user = remains};
    struct problems problems;
    struct ledger_tail *tail = NULL;
    enum status status;

    problems_init(&problems);
    status = ledger_tail_recover(&options, remains->ledger, &problems, &tail, &remains->next_sequence);
    ledger_tail_free(tail);
    problems_free(&problems);
    return status;
}

/* The first may be killed, too. */
static void
recover(struct remains *remains, bool sqlite)
{
    remains->steps_left = (unsigned)rng_below(&remains->rng, 60);
    if (recover_once(remains) != OK && sqlite) {
        ledger_close(remains->ledger);
        open_ledger(remains, true);
    }
    remains->steps_left = UINT_MAX;
    assert_int_equal(recover_once(remains), OK);
}

/* What must be there */

/* A request as the journals tell it. */
struct told {
    uint64_t id;
    bool opened, settled;
    usd cost; /* settled: of the row; else estimate and attempts */
    char state[24];
};

/* Behind those of clients stand the calls of our own on their behalf, so many for each at most. */
enum { OWN_MOST = 16, TOLD_MOST = (1 + OWN_MOST) * (CHAOS_CLIENTS_MOST + 1) };

struct told_all {
    struct told all[TOLD_MOST];
    struct arena arena;
    struct remains *remains;
    size_t rows;
};

static size_t
place_of(const struct row *row, size_t *places)
{
    size_t client = chaos_client_of_row(row);

    *places = row_is_own(row) ? OWN_MOST : 1;
    return row_is_own(row) ? CHAOS_CLIENTS_MOST + 1 + client * OWN_MOST : client;
}

static struct told *
told_of(struct told_all *told, const struct row *row)
{
    size_t places, place = place_of(row, &places), i = 0;

    while (i + 1 < places && told->all[place + i].id != 0 && told->all[place + i].id != row->id)
        i++;
    return &told->all[place + i];
}

static void
tell(struct told_all *told, const struct journal_record *record)
{
    struct told *at = NULL;

    for (size_t i = 0; i < TOLD_MOST && at == NULL; i++)
        if (told->all[i].id == record->row.id)
            at = &told->all[i];
    if (record->type == JOURNAL_ATTEMPT) {
        if (at != NULL && usd_add(at->cost, record->row.tries[0].cost, &at->cost) != OK)
            at->cost = USD_UNKNOWN;
        return;
    }
    at = told_of(told, &record->row);
    at->id = record->row.id;
    at->opened |= record->type == JOURNAL_OPEN;
    at->settled |= record->type == JOURNAL_SETTLE;
    at->cost = at->settled ? record->row.cost : record->row.reserved_estimate;
    snprintf(at->state, sizeof(at->state), "%.*s", SLICE_ARGS(record->row.state));
}

static void
read_journals(struct remains *remains, struct told_all *told)
{
    for (unsigned i = 0; i < remains->script->workers; i++) {
        struct slice rest = buffer_content(&remains->journals[i]);
        struct journal_record record;

        while (journal_take(&rest, &record) == OK)
            if (record.type != JOURNAL_FEEDBACK)
                tell(told, &record);
    }
}

/* Damage may have taken the settlement away, or even the beginning, so that an attempt is all that is known. */
static const struct told *
who_asked(const struct told_all *told, const struct row *row)
{
    size_t places, place = place_of(row, &places);

    for (size_t i = 0; i < TOLD_MOST; i++) {
        if (told->all[i].id != row->id)
            continue;
        assert_true((i >= place && i < place + places) || (told->remains->damaged && place == CHAOS_CLIENTS_MOST));
        return &told->all[i];
    }
    return NULL;
}

/* Each row is that of one client, as the journal tells it. */
static enum status
check_row(void *user, const struct row *brief)
{
    struct told_all *told = user;
    struct ledger_store *store = ledger_store(told->remains->ledger);
    struct row row;
    const struct told *about;

    assert_int_equal(store->ops->find_row(store, brief->id, &told->arena, &row), OK);
    about = who_asked(told, &row);
    assert_non_null(about);
    told->rows++;
    if (about->settled && !slice_is(row.state, about->state))
        assert_true(told->remains->damaged && slice_is(row.state, "unknown"));
    else if (about->settled || !told->remains->damaged)
        assert_true(row.cost == about->cost);
    if (!about->settled)
        assert_true(slice_is(row.state, "unknown"));
    arena_reset(&told->arena);
    return OK;
}

static void
check_ledger(struct remains *remains, size_t rows)
{
    struct ledger_totals by_row, by_sum;

    assert_int_equal(ledger_open_count(remains->ledger), 0);
    assert_int_equal(ledger_check(remains->ledger, INT64_MIN, &by_row, &by_sum), OK);
    assert_int_equal(by_row.rows, rows);
}

/* Everybody who reached a backend has a row, and one only. */
static size_t
check_rows(struct remains *remains)
{
    struct told_all *told = must_calloc(1, sizeof(*told));
    size_t expected = 0, rows;

    told->remains = remains;
    read_journals(remains, told);
    for (size_t i = 0; i < TOLD_MOST; i++)
        expected += told->all[i].id != 0;
    for (size_t i = 0; i < remains->script->client_count; i++)
        assert_true(told->all[i].id != 0 || remains->calls[i] == 0 || remains->unbooked);
    assert_int_equal(remains->store->ops->each_row(remains->store, check_row, told), OK);
    rows = told->rows;
    if (remains->damaged)
        assert_true(rows <= expected);
    else
        assert_int_equal(rows, expected);
    check_ledger(remains, rows);
    free(told);
    return rows;
}

/* Serving on */

/* A new process, with a clock that may have been set back meanwhile. */
static void
serve_on(struct remains *remains, void **state, size_t rows_before)
{
    usec wall_us = remains->wall_us - (usec)rng_below(&remains->rng, 3) * USEC_PER_S;
    struct scene *scene = scene_new(state, (struct scene_options){.seed = remains->script->seed + 1,
                                                                  .workers = remains->script->workers,
                                                                  .wall_us = wall_us > 0 ? wall_us : 1});
    uint64_t last_id;

    assert_int_equal(ledger_last_id(remains->ledger, &last_id), OK);
    gateway_go_on_from(&scene->gateway, last_id);
    for (unsigned i = 0; i < 4; i++)
        scene_asks(scene, (struct ask){.stream = i % 2 == 0, .client.worker = i % remains->script->workers});
    scene_rest(scene);
    assert_int_equal(scene->row_count, 4);
    assert_int_equal(ledger_begin(remains->ledger), OK);
    for (unsigned i = 0; i < remains->script->workers; i++) {
        struct slice rest = history_journal(scene->history, i);

        while (rest.len > 0)
            assert_int_equal(ledger_apply(remains->ledger, next_record(&rest)), OK);
    }
    for (size_t i = 0; i < scene->row_count; i++)
        assert_true(scene->rows[i].id > last_id);
    assert_int_equal(ledger_commit(remains->ledger), OK);
    check_ledger(remains, rows_before + 4);
    scene_passed(scene);
    scene_free(scene, state);
}

static void
swallow(struct log *log, enum log_level level, struct slice line)
{
    (void)log;
    (void)level;
    (void)line;
}

void
chaos_kill(void **state, const struct chaos_script *script, const char *folder, bool sqlite)
{
    struct remains remains = {.script = script, .folder = folder, .log = {.least = LOG_ERROR, .write = swallow}};
    size_t rows;

    ENSURE(script->workers <= WORKERS_OF_SCRIPTS);
    rng_seed(&remains.rng, rng_mix(script->seed ^ 0x6b696c6c));
    remains.tail = rng_below(&remains.rng, 2) == 0 ? TAIL_WHOLE : (enum chaos_tail)rng_below(&remains.rng, CHAOS_TAILS);
    remains.damaged = remains.tail == TAIL_CUT || remains.tail == TAIL_FLIPPED;
    clear_folder(folder);
    die(&remains, state);
    open_ledger(&remains, sqlite);
    leave_journals(&remains);
    recover(&remains, sqlite);
    rows = check_rows(&remains);
    assert_int_equal(recover_once(&remains), OK); /* once more: nothing to do */
    check_ledger(&remains, rows);
    serve_on(&remains, state, rows);
    ledger_close(remains.ledger);
    clear_folder(folder);
    for (unsigned i = 0; i < script->workers; i++)
        buffer_free(&remains.journals[i]);
}
