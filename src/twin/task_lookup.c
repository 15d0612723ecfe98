/* Questions about a price list in the prompt: a price (1), the stock (2), the cheapest item (3), the sum of two orders
 * (4), the dearest item of which enough is left (5). */
#include "twin/scan.h"
#include "twin/task_family.h"

enum { ROWS_MOST = SOLUTION_CHOICES, ROWS_LEAST = 4, ROWS_STEP = 4 };

struct row {
    struct slice name;
    int64_t price_hundredths, stock;
};

struct price_list {
    struct row rows[ROWS_MOST];
    unsigned count;
};

static const char *const materials[] = {"oak", "steel", "glass", "linen", "copper", "walnut", "marble", "wool"};
static const char *const things[] = {"desk", "lamp", "chair", "shelf", "clock", "vase", "bench", "mirror", "tray"};

/* Reading */

static bool
read_row(struct slice line, struct row *row)
{
    struct slice rest = line;
    size_t colon = slice_find_byte(line, ':');
    int64_t thousandths = 0;

    if (!scan_word(&rest, "- ") || colon == line.len)
        return false;
    row->name = slice_trim(slice_make(rest.data, (size_t)(line.data + colon - rest.data)));
    rest = slice_from(line, colon + 1);
    if (!scan_word(&rest, "$") || !scan_thousandths(&rest, &thousandths) || !scan_word(&rest, ",") ||
        !scan_integer(&rest, &row->stock))
        return false;
    row->price_hundredths = thousandths / 10;
    return row->name.len != 0 && row->price_hundredths < INT32_MAX && row->stock < INT32_MAX;
}

static bool
read_list(struct slice prompt, struct price_list *list, struct slice *question)
{
    struct slice rest = prompt;

    list->count = 0;
    if (!scan_past(&rest, "price list"))
        return false;
    while (rest.data != NULL && list->count < ROWS_MOST) {
        struct slice line = slice_split(&rest, '\n');

        if (scan_past(&line, "question:")) {
            *question = line;
            return list->count >= 2;
        }
        if (read_row(line, &list->rows[list->count]))
            list->count++;
    }
    return false;
}

static const struct row *
scan_item(struct slice *rest, const struct price_list *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct slice at = *rest;

        if (slice_starts(at, " "))
            at = slice_from(at, 1);
        if (at.len < list->rows[i].name.len ||
            !slice_equal(slice_first(at, list->rows[i].name.len), list->rows[i].name))
            continue;
        *rest = slice_from(at, list->rows[i].name.len);
        return &list->rows[i];
    }
    return NULL;
}

/* Answering */

static const struct row *
cheapest(const struct price_list *list)
{
    const struct row *best = &list->rows[0];

    for (unsigned i = 1; i < list->count; i++)
        if (list->rows[i].price_hundredths < best->price_hundredths)
            best = &list->rows[i];
    return best;
}

static const struct row *
dearest(const struct price_list *list, int64_t stock_least)
{
    const struct row *best = NULL;

    for (unsigned i = 0; i < list->count; i++)
        if (list->rows[i].stock >= stock_least &&
            (best == NULL || list->rows[i].price_hundredths > best->price_hundredths))
            best = &list->rows[i];
    return best;
}

static bool
answer_hundredths(struct solution *solution, struct arena *arena, unsigned difficulty, int64_t right, int64_t near)
{
    solution->difficulty = difficulty;
    solution->kind = SOLUTION_NUMBER;
    solution->tolerance = 0.0001;
    solution->right = task_hundredths_text(arena, right);
    solution_mistake(solution, task_hundredths_text(arena, near));
    solution_mistake(solution, task_hundredths_text(arena, right + 100));
    solution_mistake(solution, task_hundredths_text(arena, right - 10));
    return true;
}

static bool
answer_item(struct solution *solution, struct arena *arena, unsigned difficulty, const struct row *right,
            const struct price_list *list)
{
    if (right == NULL)
        return false;
    solution->difficulty = difficulty;
    solution->kind = SOLUTION_CHOICE;
    solution->right = arena_slice_text(arena, right->name);
    for (unsigned i = 0; i < list->count; i++)
        solution->choices[solution->choice_count++] = list->rows[i].name;
    for (unsigned i = 0; i < list->count; i++)
        solution_mistake(solution, arena_slice_text(arena, list->rows[i].name));
    return true;
}

static bool
answer_order(struct solution *solution, struct arena *arena, struct slice rest, const struct price_list *list)
{
    const struct row *first = NULL, *second = NULL;
    int64_t few = 0, more = 0;

    if (!scan_integer(&rest, &few) || !scan_word(&rest, "times the") || (first = scan_item(&rest, list)) == NULL ||
        !scan_word(&rest, "and") || !scan_integer(&rest, &more) || !scan_word(&rest, "times the") ||
        (second = scan_item(&rest, list)) == NULL || few > 1000 || more > 1000)
        return false;
    return answer_hundredths(solution, arena, 4, few * first->price_hundredths + more * second->price_hundredths,
                             first->price_hundredths + second->price_hundredths);
}

/* Does the question hold these words; *rest is what stands behind them. */
static bool
question_is(struct slice question, const char *words, struct slice *rest)
{
    *rest = question;
    return scan_past(rest, words);
}

static bool
solve(struct slice prompt, struct arena *arena, struct solution *solution)
{
    struct price_list list;
    struct slice question = SLICE_NONE, rest = SLICE_NONE;
    const struct row *row = NULL;
    int64_t least = 0;

    if (!read_list(prompt, &list, &question))
        return false;
    if (question_is(question, "what is the price of the", &rest) && (row = scan_item(&rest, &list)) != NULL)
        return answer_hundredths(solution, arena, 1, row->price_hundredths, list.rows[0].price_hundredths);
    if (question_is(question, "how many of the", &rest) && (row = scan_item(&rest, &list)) != NULL)
        return answer_hundredths(solution, arena, 2, row->stock * 100, list.rows[list.count - 1].stock * 100);
    if (question_is(question, "which item is the cheapest", &rest))
        return answer_item(solution, arena, 3, cheapest(&list), &list);
    if (question_is(question, "what do I pay for", &rest))
        return answer_order(solution, arena, rest, &list);
    if (question_is(question, "most expensive item of which at least", &rest) && scan_integer(&rest, &least))
        return answer_item(solution, arena, 5, dearest(&list, least), &list);
    return false;
}

/* Making: prices differ, so that the cheapest and the dearest are one each. */

static void
make_list(struct rng *rng, struct price_list *list, unsigned count, struct arena *arena)
{
    size_t shift = rng_below(rng, TASK_COUNT(materials) * TASK_COUNT(things));

    list->count = count;
    for (unsigned i = 0; i < count; i++) {
        /* 5 and 72 have no common factor, so that no pair comes twice */
        size_t pair = (shift + (size_t)i * 5) % (TASK_COUNT(materials) * TASK_COUNT(things));

        list->rows[i].name = slice_of(arena_printf(arena, "%s %s", materials[pair % TASK_COUNT(materials)],
                                                   things[pair / TASK_COUNT(materials)]));
        list->rows[i].price_hundredths = task_between(rng, 20, 900) * 100 + (int64_t)i;
        list->rows[i].stock = task_between(rng, 0, 60);
    }
}

static const char *
list_text(const struct price_list *list, struct arena *arena)
{
    const char *text = "Price list:\n";

    for (unsigned i = 0; i < list->count; i++)
        text = arena_printf(arena, "%s- %.*s: $%lld.%02d, %lld left\n", text, SLICE_ARGS(list->rows[i].name),
                            (long long)(list->rows[i].price_hundredths / 100),
                            (int)(list->rows[i].price_hundredths % 100), (long long)list->rows[i].stock);
    return text;
}

static const char *
make_question(struct task *task, struct rng *rng, const struct price_list *list, struct arena *arena)
{
    const struct row *one = &list->rows[rng_below(rng, list->count)];
    const struct row *two = &list->rows[rng_below(rng, list->count)];
    int64_t few = task_between(rng, 2, 9), more = task_between(rng, 2, 9), least = task_between(rng, 1, 20);

    switch (task->difficulty) {
    case 1:
        task->truth = task_hundredths_text(arena, one->price_hundredths);
        return arena_printf(arena, "What is the price of the %.*s in dollars?", SLICE_ARGS(one->name));
    case 2:
        task->truth = task_hundredths_text(arena, one->stock * 100);
        return arena_printf(arena, "How many of the %.*s are left?", SLICE_ARGS(one->name));
    case 3:
        task->truth = arena_slice_text(arena, cheapest(list)->name);
        return "Which item is the cheapest?";
    case 4:
        task->truth = task_hundredths_text(arena, few * one->price_hundredths + more * two->price_hundredths);
        return arena_printf(arena, "What do I pay for %lld times the %.*s and %lld times the %.*s, in dollars?",
                            (long long)few, SLICE_ARGS(one->name), (long long)more, SLICE_ARGS(two->name));
    default:
        if (dearest(list, least) == NULL)
            least = 0;
        task->truth = arena_slice_text(arena, dearest(list, least)->name);
        return arena_printf(arena, "Which is the most expensive item of which at least %lld are left?",
                            (long long)least);
    }
}

static void
make(struct task *task, struct rng *rng, struct arena *arena)
{
    struct price_list list;

    make_list(rng, &list, ROWS_LEAST + ROWS_STEP * (task->difficulty - 1), arena);
    task->prompt = arena_printf(arena, "%sQuestion: %s Reply with the answer only.", list_text(&list, arena),
                                make_question(task, rng, &list, arena));
}

const struct task_family_ops task_lookup = {.name = "lookup", .hardness = 0.0, .make = make, .solve = solve};
