#define _GNU_SOURCE /* mkdtemp, nftw */
#include "ledger_fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct slice
pick(struct rng *rng, const char *const *words, size_t count)
{
    return slice_of(words[rng_below(rng, count)]);
}
#define PICK(rng, ...)                                                                                                 \
    pick(rng, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static int64_t
below(struct rng *rng, int64_t limit)
{
    return (int64_t)rng_below(rng, (uint64_t)limit);
}

static void
fill_names(struct rng *rng, struct row *row)
{
    row->key_name = PICK(rng, "web", "batch", "mobile");
    row->tenant = slice_is(row->key_name, "batch") ? slice_of("globex") : slice_of("acme");
    row->route = PICK(rng, "assistant", "search", "");
    row->owner = row->route.len != 0 ? slice_of("search-team") : SLICE_NONE;
    row->tags = PICK(rng, "", "feature=search", "customer=42,feature=chat");
    row->api = PICK(rng, "chat", "messages", "embeddings");
    row->source = PICK(rng, "reference", "model");
    row->model_served = PICK(rng, "large-1", "small-1", "small-2");
    row->model_asked = row->route.len != 0 ? row->route : row->model_served;
    row->backend = PICK(rng, "here", "there");
    row->provider = PICK(rng, "openai", "anthropic");
    row->state = PICK(rng, "ok", "ok", "ok", "ok", "client gone", "upstream failed");
    row->conversation = PICK(rng, "", "00c0ffee00c0ffee");
}

static void
fill_usage(struct rng *rng, struct row *row)
{
    row->input_tokens = below(rng, 4000);
    row->cache_read_tokens = below(rng, row->input_tokens + 1);
    row->cache_write_tokens = below(rng, row->input_tokens - row->cache_read_tokens + 1);
    row->output_tokens = below(rng, 900);
    row->reasoning_tokens = below(rng, row->output_tokens + 1);
    row->attempts = 1 + below(rng, 2);
    row->streamed = below(rng, 2);
    row->status = 200;
    row->first_token_us = 1000 + below(rng, 2000000);
    row->total_us = row->first_token_us + below(rng, 8000000);
}

static void
fill_costs(struct rng *rng, struct row *row)
{
    row->exactness = SLICE_LITERAL("exact");
    row->input_cost = (row->input_tokens - row->cache_read_tokens - row->cache_write_tokens) * 1250000;
    row->cache_read_cost = row->cache_read_tokens * 125000;
    row->cache_write_cost = row->cache_write_tokens * 1562500;
    row->cache_discount = row->cache_read_tokens * 1125000;
    row->cache_surcharge = row->cache_write_tokens * 312500;
    row->output_cost = row->output_tokens * 10000000;
    row->cost = row->input_cost + row->cache_read_cost + row->cache_write_cost + row->output_cost + below(rng, 3) * 7;
    row->reserved_estimate = row->cost + below(rng, 1000000);
    row->baseline = row->cost * 2 + below(rng, 1000000);
    switch (rng_below(rng, 12)) {
    case 0:
        row->exactness = SLICE_LITERAL("unpriced");
        row->cost = USD_UNKNOWN;
        break;
    case 1:
        row->exactness = SLICE_LITERAL("estimated");
        break;
    case 2:
        row->baseline = USD_UNKNOWN;
        break;
    default:
        break;
    }
}

static void
fill_lines(struct rng *rng, struct arena *arena, struct row *row)
{
    row->tries[0] = (struct attempt_line){
        .target = slice_of(arena_printf(arena, "%.*s/%.*s", SLICE_ARGS(row->backend), SLICE_ARGS(row->model_served))),
        .state = SLICE_LITERAL("ok"),
        .status = 200,
        .cost = row->cost,
        .ended_us = row->total_us};
    row->try_count = 1;
    if (usd_known(row->cost) && usd_known(row->baseline)) {
        row->savings[0] = (struct saving_line){SLICE_LITERAL("alternatives"), false, row->baseline - row->cost};
        row->saving_count = 1;
    }
    if (rng_below(rng, 4) == 0)
        row->savings[row->saving_count++] = (struct saving_line){SLICE_LITERAL("router"), true, below(rng, 1000000)};
}

void
fixture_row(struct rng *rng, struct arena *arena, uint64_t id, int64_t wall_us, struct row *row)
{
    row_init(row);
    row->id = id;
    row->arrived_wall_us = wall_us;
    fill_names(rng, row);
    fill_usage(rng, row);
    fill_costs(rng, row);
    fill_lines(rng, arena, row);
    row->counted_cost = usd_known(row->cost) || below(rng, 2) ? row->reserved_estimate : USD_UNKNOWN;
    row->counted_tokens = row->input_tokens + row->output_tokens;
    row->counted_requests = below(rng, 8) != 0;
    row->holdout = below(rng, 20) == 0;
    if (rng_below(rng, 3) == 0) {
        row->useful_ppm = below(rng, 2) * 1000000;
        row->useful_source = PICK(rng, "validator", "feedback");
    }
    if (rng_below(rng, 10) == 0)
        row->value = below(rng, 1000000000);
}

static int64_t
wild_number(struct rng *rng)
{
    switch (rng_below(rng, 5)) {
    case 0:
        return 0;
    case 1:
        return INT64_MAX - below(rng, 3);
    case 2:
        return INT64_MIN + below(rng, 3);
    case 3:
        return below(rng, 300) - 150;
    default:
        return (int64_t)rng_next(rng);
    }
}

static struct slice
wild_text(struct rng *rng, struct arena *arena)
{
    size_t len = rng_below(rng, 4) == 0 ? 0 : (size_t)rng_below(rng, 300);
    char *text = arena_alloc(arena, len + 1);

    for (size_t i = 0; i < len; i++)
        text[i] = (char)rng_next(rng);
    return len != 0 ? slice_make(text, len) : SLICE_NONE;
}

void
fixture_wild_row(struct rng *rng, struct arena *arena, struct row *row)
{
    row_init(row);
#define ROW_ID(name, words) row->name = rng_next(rng);
#define ROW_NUMBER(name, words) row->name = wild_number(rng);
#define ROW_MAYBE(name, words) row->name = wild_number(rng);
#define ROW_USD(name, words) row->name = wild_number(rng);
#define ROW_TEXT(name, words) row->name = wild_text(rng, arena);
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    row->saving_count = rng_below(rng, ROW_SAVINGS_MOST + 1);
    row->try_count = rng_below(rng, ROW_ATTEMPTS_MOST + 1);
    for (size_t i = 0; i < row->saving_count; i++)
        row->savings[i] = (struct saving_line){wild_text(rng, arena), rng_below(rng, 2) == 1, wild_number(rng)};
    for (size_t i = 0; i < row->try_count; i++)
        row->tries[i] = (struct attempt_line){
            wild_text(rng, arena), wild_text(rng, arena), wild_number(rng), wild_number(rng), wild_number(rng),
            wild_number(rng),      wild_number(rng),      wild_number(rng), wild_number(rng), wild_text(rng, arena)};
}

static void
assert_texts_equal(struct slice a, struct slice b)
{
    assert_int_equal(a.len, b.len);
    if (a.len != 0)
        assert_memory_equal(a.data, b.data, a.len);
}

static void
assert_attempts_equal(const struct attempt_line *a, const struct attempt_line *b)
{
    assert_texts_equal(a->target, b->target);
    assert_texts_equal(a->state, b->state);
    assert_texts_equal(a->why, b->why);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->input_tokens, b->input_tokens);
    assert_int_equal(a->output_tokens, b->output_tokens);
    assert_int_equal(a->cost, b->cost);
    assert_int_equal(a->started_us, b->started_us);
    assert_int_equal(a->first_byte_us, b->first_byte_us);
    assert_int_equal(a->ended_us, b->ended_us);
}

void
assert_rows_equal(const struct row *a, const struct row *b)
{
#define ROW_ID(name, words) assert_int_equal(a->name, b->name);
#define ROW_NUMBER(name, words) assert_int_equal(a->name, b->name);
#define ROW_MAYBE(name, words) assert_int_equal(a->name, b->name);
#define ROW_USD(name, words) assert_int_equal(a->name, b->name);
#define ROW_TEXT(name, words) assert_texts_equal(a->name, b->name);
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    assert_int_equal(a->saving_count, b->saving_count);
    assert_int_equal(a->try_count, b->try_count);
    for (size_t i = 0; i < a->saving_count; i++) {
        assert_texts_equal(a->savings[i].lever, b->savings[i].lever);
        assert_int_equal(a->savings[i].shadow, b->savings[i].shadow);
        assert_int_equal(a->savings[i].saved, b->savings[i].saved);
    }
    for (size_t i = 0; i < a->try_count; i++)
        assert_attempts_equal(&a->tries[i], &b->tries[i]);
}

/* Everything that a store holds of sums and notes, as one text. */
static enum status
write_sums(void *user, int64_t start, uint64_t group, struct slice sums)
{
    struct buffer *out = user;

    buffer_printf(out, "%lld %llx %zu ", (long long)start, (unsigned long long)group, sums.len);
    buffer_add(out, sums);
    return OK;
}

static enum status
write_note(void *user, enum ledger_note kind, uint64_t id, struct slice bytes)
{
    struct buffer *out = user;

    buffer_printf(out, "note %d %llx ", kind, (unsigned long long)id);
    buffer_add(out, bytes);
    return OK;
}

static void
write_store(struct ledger_store *store, struct buffer *out)
{
    for (int period = 0; period < LEDGER_PERIODS; period++)
        assert_int_equal(
            store->ops->each_sums(store, (enum ledger_period)period, INT64_MIN, INT64_MAX, write_sums, out), OK);
    assert_int_equal(store->ops->each_note(store, write_note, out), OK);
}

struct comparing {
    struct ledger_store *a, *b;
    struct arena arena;
    size_t rows;
};

static enum status
compare_row(void *user, const struct row *row)
{
    struct comparing *comparing = user;
    struct row a, b;

    assert_int_equal(comparing->a->ops->find_row(comparing->a, row->id, &comparing->arena, &a), OK);
    assert_int_equal(comparing->b->ops->find_row(comparing->b, row->id, &comparing->arena, &b), OK);
    assert_rows_equal(&a, &b);
    arena_reset(&comparing->arena);
    comparing->rows++;
    return OK;
}

void
assert_stores_equal(struct ledger_store *a, struct ledger_store *b)
{
    struct comparing forth = {.a = a, .b = b}, back = {.a = b, .b = a};
    struct buffer in_a = {0}, in_b = {0};

    write_store(a, &in_a);
    write_store(b, &in_b);
    assert_texts_equal(buffer_content(&in_a), buffer_content(&in_b));
    buffer_free(&in_a);
    buffer_free(&in_b);
    assert_int_equal(a->ops->each_row(a, compare_row, &forth), OK);
    assert_int_equal(b->ops->each_row(b, compare_row, &back), OK);
    assert_int_equal(forth.rows, back.rows);
}

char *
fixture_dir(void)
{
    const char *base = getenv("TMPDIR");
    char name[512];

    snprintf(name, sizeof(name), "%s/ledger-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(name));
    return must_strdup(name);
}

static int
remove_one(const char *path, const struct stat *about, int type, struct FTW *walk)
{
    (void)about;
    (void)type;
    (void)walk;
    return remove(path);
}

void
fixture_remove_dir(char *dir)
{
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

char *
fixture_path(struct arena *arena, const char *dir, const char *name)
{
    return arena_printf(arena, "%s/%s", dir, name);
}

size_t
fixture_count_files(const char *dir)
{
    DIR *open_dir = opendir(dir);
    struct dirent *entry;
    size_t count = 0;

    while (open_dir != NULL && (entry = readdir(open_dir)) != NULL)
        count += entry->d_name[0] != '.';
    if (open_dir != NULL)
        closedir(open_dir);
    return count;
}

static void
keep_line(struct log *log, enum log_level level, struct slice line)
{
    struct fixture_log *kept = (struct fixture_log *)log;

    (void)level;
    lock_take(&kept->lock);
    kept->lines++;
    snprintf(kept->last, sizeof(kept->last), "%.*s", SLICE_ARGS(line));
    lock_drop(&kept->lock);
}

void
fixture_log_init(struct fixture_log *log)
{
    *log = (struct fixture_log){.log = {.least = LOG_WARN, .write = keep_line}};
    lock_init(&log->lock);
}
