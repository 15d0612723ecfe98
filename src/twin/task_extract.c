/* Facts of a message to JSON. Difficulty is the number of facts asked for less one, and from 3 on the message holds
 * others of their kind that are not meant. */
#include "base/buffer.h"
#include "twin/scan.h"
#include "twin/task_family.h"

/* A kind of fact: the words in front of it, and how the sentence goes on. `decoy` holds a fact of the same kind that is
 * not meant, NULL if there is none. */
struct fact {
    const char *key;
    const char *lead;  /* the fact follows these words */
    const char *tail;  /* and is followed by these */
    const char *decoy; /* format of a sentence with a fact of the same kind */
    bool number;
};

enum { FACTS = 6, VALUE_MOST = 60 };

static const struct fact facts[FACTS] = {
    {"order", "My order number is ", ".", "An older order, %s, came in time.", false},
    {"customer", "My name is ", " and", "A neighbour, %s, had the same trouble.", false},
    {"amount", "I paid $", " for it.", "Shipping was $%s on top.", true},
    {"city", "Please send it to ", " as", "I have moved away from %s.", false},
    {"email", "You reach me at ", " at any time.", "Do not write to %s.", false},
    {"date", "I need it by ", " at the latest.", "I ordered it on %s.", false},
};

static const char *const first_names[] = {"Ada", "Bruno", "Chidi", "Dana", "Emil", "Farah", "Goro", "Hanna", "Ines"};
static const char *const last_names[] = {"Okafor", "Lindqvist", "Moreau", "Tanaka", "Petrov", "Silva", "Novak"};
static const char *const cities[] = {"Lisbon", "Tampere", "Nagoya", "Leeds", "Cusco", "Bergen", "Austin", "Pune"};

/* Solving */

static bool
find_fact(struct slice message, const struct fact *fact, struct slice *value)
{
    struct slice rest = message;

    if (!scan_past(&rest, fact->lead))
        return false;
    *value = slice_trim(slice_first(rest, slice_find(rest, slice_of(fact->tail))));
    return value->len != 0 && value->len <= VALUE_MOST;
}

/* The decoy's value in the message: what stands where its format has %s. */
static bool
find_decoy(struct slice message, const struct fact *fact, struct slice *value)
{
    struct slice before = slice_first(slice_of(fact->decoy), slice_find(slice_of(fact->decoy), SLICE_LITERAL("%s")));
    struct slice behind = slice_from(slice_of(fact->decoy), before.len + 2);
    size_t at = slice_find(message, before);

    if (at == message.len)
        return false;
    *value = slice_from(message, at + before.len);
    *value = slice_first(*value, slice_find(*value, behind));
    return value->len != 0 && value->len <= VALUE_MOST;
}

static void
add_member(struct buffer *out, const struct fact *fact, struct slice value)
{
    buffer_add_text(out, buffer_len(out) == 0 ? "{" : ", ");
    buffer_printf(out, "\"%s\": ", fact->key);
    if (fact->number) {
        buffer_add(out, value);
        return;
    }
    buffer_add_byte(out, '"');
    buffer_add_json(out, value);
    buffer_add_byte(out, '"');
}

struct reading {
    struct slice values[FACTS]; /* NONE: not asked for */
    struct slice decoys[FACTS];
    unsigned asked;
};

/* `skip` is left out, `fooled` is taken from the decoy (FACTS: neither). */
static const char *
reading_text(const struct reading *reading, unsigned skip, unsigned fooled, struct arena *arena)
{
    struct buffer out;
    const char *text;

    buffer_init(&out);
    for (unsigned i = 0; i < FACTS; i++)
        /* cppcheck-suppress arrayIndexOutOfBoundsCond ; FACTS as `skip` skips nothing */
        if (reading->values[i].data != NULL && i != skip)
            add_member(&out, &facts[i], i == fooled ? reading->decoys[i] : reading->values[i]);
    buffer_add_text(&out, buffer_len(&out) == 0 ? "{}" : "}");
    text = arena_slice_text(arena, buffer_content(&out));
    buffer_free(&out);
    return text;
}

static bool
value_fits(const struct fact *fact, struct slice value)
{
    int64_t thousandths = 0;

    return !fact->number || (scan_thousandths(&value, &thousandths) && value.len == 0);
}

static bool
read_prompt(struct slice prompt, struct reading *reading)
{
    struct slice rest = prompt, keys, message;
    struct slice key = SLICE_NONE;

    *reading = (struct reading){.asked = 0};
    if (!scan_past(&rest, "as JSON with exactly these keys:"))
        return false;
    keys = rest;
    if (!scan_past(&rest, "Message:"))
        return false;
    message = rest;
    keys.len = (size_t)(message.data - keys.data) - strlen("Message:");
    while (scan_quoted(&keys, &key))
        for (unsigned i = 0; i < FACTS; i++) {
            if (!slice_is(key, facts[i].key) || reading->values[i].data != NULL)
                continue;
            if (!find_fact(message, &facts[i], &reading->values[i]) || !value_fits(&facts[i], reading->values[i]))
                return false;
            if (!find_decoy(message, &facts[i], &reading->decoys[i]) || !value_fits(&facts[i], reading->decoys[i]))
                reading->decoys[i] = SLICE_NONE;
            reading->asked++;
        }
    return reading->asked > 0;
}

static bool
solve(struct slice prompt, struct arena *arena, struct solution *solution)
{
    struct reading reading;
    unsigned asked;

    if (!read_prompt(prompt, &reading))
        return false;
    asked = reading.asked < 2 ? 2 : reading.asked;
    solution->difficulty = asked - 1 < TASK_DIFFICULTY_MOST ? asked - 1 : TASK_DIFFICULTY_MOST;
    solution->kind = SOLUTION_JSON;
    solution->right = reading_text(&reading, FACTS, FACTS, arena);
    for (unsigned i = 0; i < FACTS; i++)
        if (reading.decoys[i].data != NULL)
            solution_mistake(solution, reading_text(&reading, FACTS, i, arena));
    for (unsigned i = FACTS; i-- > 0;)
        solution_mistake(solution, reading_text(&reading, i, FACTS, arena));
    return true;
}

/* Making */

static const char *
make_value(struct rng *rng, const struct fact *fact, struct arena *arena)
{
    const char *first = task_pick(rng, first_names, TASK_COUNT(first_names));
    const char *last = task_pick(rng, last_names, TASK_COUNT(last_names));

    switch (fact->key[0] == 'c' ? fact->key[1] : fact->key[0]) {
    case 'o':
        return arena_printf(arena, "%c%c-%lld", (int)task_between(rng, 'A', 'Z'), (int)task_between(rng, 'A', 'Z'),
                            (long long)task_between(rng, 10000, 99999));
    case 'u':
        return arena_printf(arena, "%s %s", first, last);
    case 'a':
        return arena_printf(arena, "%lld.%02lld", (long long)task_between(rng, 5, 900),
                            (long long)task_between(rng, 0, 99));
    case 'i':
        return task_pick(rng, cities, TASK_COUNT(cities));
    case 'e':
        return arena_printf(arena, "%s.%s@example.org", first, last);
    default:
        return arena_printf(arena, "20%lld-%02lld-%02lld", (long long)task_between(rng, 20, 30),
                            (long long)task_between(rng, 1, 12), (long long)task_between(rng, 1, 28));
    }
}

static const char *const after_tails[FACTS] = {"", " I am not happy", "", " soon as you can.", "", ""};

static const char *
make_sentence(struct rng *rng, unsigned at, bool with_decoy, const char *value, struct arena *arena)
{
    const struct fact *fact = &facts[at];
    struct slice decoy = slice_of(fact->decoy);
    struct slice before = slice_first(decoy, slice_find(decoy, SLICE_LITERAL("%s")));
    struct slice behind = slice_from(decoy, before.len + 2);
    const char *text =
        arena_printf(arena, "%s%s%s%s%s ", fact->lead, value, fact->tail, after_tails[at], at == 1 ? "." : "");
    const char *other = value;

    while (with_decoy && strcmp(other, value) == 0)
        other = make_value(rng, fact, arena);
    if (!with_decoy)
        return text;
    return arena_printf(arena, "%.*s%s%.*s %s", SLICE_ARGS(before), other, SLICE_ARGS(behind), text);
}

static void
make(struct task *task, struct rng *rng, struct arena *arena)
{
    struct reading reading = {.asked = 0};
    unsigned start = (unsigned)rng_below(rng, FACTS);
    const char *keys = "", *message = "";

    for (unsigned i = 0; i < FACTS; i++) {
        unsigned at = (start + i) % FACTS;
        const char *value = make_value(rng, &facts[at], arena);

        message = arena_printf(arena, "%s%s", message, make_sentence(rng, at, task->difficulty >= 3, value, arena));
        if (i > task->difficulty)
            continue;
        keys = arena_printf(arena, "%s%s\"%s\"", keys, i == 0 ? "" : ", ", facts[at].key);
        reading.values[at] = slice_of(value);
    }
    task->prompt = arena_printf(arena,
                                "Extract from the message, as JSON with exactly these keys: %s. Reply with the "
                                "JSON object only. Message: %s",
                                keys, message);
    task->truth = reading_text(&reading, FACTS, FACTS, arena);
}

const struct task_family_ops task_extract = {.name = "extract", .hardness = 0.2, .make = make, .solve = solve};
