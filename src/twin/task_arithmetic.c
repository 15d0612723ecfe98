/* Whole-number expressions: difficulty is the number of operators; from 4 on there are parentheses. */
#include "twin/scan.h"
#include "twin/task_family.h"

static const char *const openings[] = {"What is ", "Calculate ", "Please work out ", "How much is "};

/* Making: the expression's text and its value are built together. */

static char
pick_operator(struct rng *rng)
{
    return "++--*"[rng_below(rng, 5)];
}

static int64_t
pick_operand(struct rng *rng, unsigned difficulty, char sign)
{
    if (sign == '*')
        return task_between(rng, 2, 9);
    return task_between(rng, 2, difficulty < 3 ? 99 : 999);
}

static const char *
make_expression(struct rng *rng, unsigned difficulty, struct arena *arena)
{
    const char *text = arena_printf(arena, "%lld", (long long)pick_operand(rng, difficulty, '+'));
    unsigned grouped = difficulty >= 4 ? 2 : 0; /* the first two operators go into parentheses */

    for (unsigned i = 0; i < difficulty; i++) {
        char sign = pick_operator(rng);

        text = arena_printf(arena, "%s %c %lld", text, sign, (long long)pick_operand(rng, difficulty, sign));
        if (i + 1 == grouped)
            text = arena_printf(arena, "(%s)", text);
    }
    return text;
}

/* Solving: expression := term (('+' | '-') term)*; term := factor ('*' factor)*; factor := integer | '(' expression ')'.
 * The usual rules, or from left to right as somebody in a hurry does it. */

struct evaluation {
    struct slice rest;
    unsigned operators;
    unsigned depth;
    bool hurried; /* no precedence */
    bool failed;
};

enum { DEPTH_MOST = 50 };

static int64_t evaluate_sum(struct evaluation *evaluation);

static int64_t
evaluate_factor(struct evaluation *evaluation)
{
    int64_t value = 0;

    if (scan_word(&evaluation->rest, "(")) {
        if (++evaluation->depth > DEPTH_MOST) {
            evaluation->failed = true;
            return 0;
        }
        value = evaluate_sum(evaluation);
        evaluation->depth--;
        evaluation->failed = evaluation->failed || !scan_word(&evaluation->rest, ")");
    } else if (!scan_integer(&evaluation->rest, &value)) {
        evaluation->failed = true;
    }
    return value;
}

static int64_t
combine(struct evaluation *evaluation, int64_t left, char sign, int64_t right)
{
    int64_t out = 0;
    bool over = sign == '*'   ? __builtin_mul_overflow(left, right, &out)
                : sign == '+' ? __builtin_add_overflow(left, right, &out)
                              : __builtin_sub_overflow(left, right, &out);

    evaluation->operators++;
    evaluation->failed = evaluation->failed || over;
    return out;
}

static bool
next_is_factor(struct slice rest)
{
    int64_t ignored = 0;

    return scan_word(&rest, "(") || scan_integer(&rest, &ignored);
}

/* True and moved on if an operator of `set` comes next, with a factor behind it. */
static bool
take_operator(struct evaluation *evaluation, const char *set, char *sign)
{
    for (; *set != '\0'; set++) {
        char word[2] = {*set, '\0'};
        struct slice at = evaluation->rest;

        if (scan_word(&at, word) && next_is_factor(at)) {
            evaluation->rest = at;
            *sign = *set;
            return true;
        }
    }
    return false;
}

static int64_t
evaluate_product(struct evaluation *evaluation)
{
    int64_t value = evaluate_factor(evaluation);
    char sign = '*';

    while (!evaluation->failed && !evaluation->hurried && take_operator(evaluation, "*", &sign))
        value = combine(evaluation, value, sign, evaluate_factor(evaluation));
    return value;
}

static int64_t
evaluate_sum(struct evaluation *evaluation)
{
    int64_t value = evaluate_product(evaluation);
    char sign = '+';

    while (!evaluation->failed && take_operator(evaluation, evaluation->hurried ? "+-*" : "+-", &sign))
        value = combine(evaluation, value, sign, evaluate_product(evaluation));
    return value;
}

static bool
evaluate(struct slice text, bool hurried, int64_t *value, unsigned *operators)
{
    struct evaluation evaluation = {.rest = text, .hurried = hurried};

    *value = evaluate_sum(&evaluation);
    *operators = evaluation.operators;
    return !evaluation.failed && evaluation.operators > 0;
}

static const char *
integer_text(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

static bool
solve(struct slice prompt, struct arena *arena, struct solution *solution)
{
    int64_t value = 0, hurried = 0;
    unsigned operators = 0, ignored = 0;
    bool found = false;

    for (size_t i = 0; i < TASK_COUNT(openings) && !found; i++) {
        struct slice rest = prompt;

        found = scan_past(&rest, openings[i]) && evaluate(rest, false, &value, &operators) &&
                evaluate(rest, true, &hurried, &ignored);
    }
    if (!found || value > INT32_MAX || value < INT32_MIN)
        return false;
    solution->difficulty = operators < TASK_DIFFICULTY_MOST ? operators : TASK_DIFFICULTY_MOST;
    solution->kind = SOLUTION_NUMBER;
    solution->tolerance = 0;
    solution->right = integer_text(arena, value);
    if (hurried != value)
        solution_mistake(solution, integer_text(arena, hurried));
    solution_mistake(solution, integer_text(arena, value + 1));
    solution_mistake(solution, integer_text(arena, value - 10));
    solution_mistake(solution, integer_text(arena, value + 10));
    return true;
}

static void
make(struct task *task, struct rng *rng, struct arena *arena)
{
    const char *expression = make_expression(rng, task->difficulty, arena);
    const char *opening = task_pick(rng, openings, TASK_COUNT(openings));
    int64_t value = 0;
    unsigned operators = 0;

    ENSURE(evaluate(slice_of(expression), false, &value, &operators));
    task->prompt = arena_printf(arena, "%s%s%s Reply with the number only.", opening, expression,
                                *opening == 'W' || *opening == 'H' ? "?" : ".");
    task->truth = integer_text(arena, value);
}

const struct task_family_ops task_arithmetic = {.name = "arithmetic", .hardness = 1.0, .make = make, .solve = solve};
