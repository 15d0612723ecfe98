#include <stdlib.h>

#include "dialect/json/json_pattern_steps.h"

uint32_t
pattern_take_character(struct slice *rest)
{
    const unsigned char *at = (const unsigned char *)rest->data;
    size_t len = at[0] < 0xc0 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t character = at[0];

    if (len > rest->len)
        len = 1;
    if (len > 1)
        character &= 0xffu >> (len + 1);
    for (size_t i = 1; i < len; i++)
        character = character << 6 | (at[i] & 0x3fu);
    *rest = slice_from(*rest, len);
    return character;
}

enum { NO_CHARACTER = -1 };

/* Where the machine is: `here` are steps that wait for a character, `next` where they go on. */
struct machine {
    const struct pattern *pattern;
    unsigned *here, *next, *stack;
    unsigned here_count, next_count, stack_count;
    uint64_t *seen, round; /* per step: the round in which it was reached last */
    int64_t before, after; /* characters, or NO_CHARACTER */
};

static bool
contains(const struct set *set, uint32_t character)
{
    for (size_t i = 0; i < set->count; i++)
        if (character >= set->ranges[i].from && character <= set->ranges[i].to)
            return !set->inverse;
    return set->inverse;
}

static bool
is_word(int64_t character)
{
    return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') || character == '_' ||
           (character >= 'a' && character <= 'z');
}

static void
reach(struct machine *machine, unsigned step)
{
    if (machine->seen[step] == machine->round)
        return;
    machine->seen[step] = machine->round;
    machine->stack[machine->stack_count++] = step;
}

static bool
holds(const struct machine *machine, enum step_kind kind)
{
    bool edge = is_word(machine->before) != is_word(machine->after);

    return kind == STEP_START ? machine->before == NO_CHARACTER
           : kind == STEP_END ? machine->after == NO_CHARACTER
                              : edge == (kind == STEP_EDGE);
}

/* Follows what needs no character; true if that finds the end. */
static bool
follow(struct machine *machine)
{
    while (machine->stack_count > 0) {
        unsigned at = machine->stack[--machine->stack_count];
        const struct step *step = &machine->pattern->steps[at];

        if (step->kind == STEP_FOUND)
            return true;
        if (step->kind == STEP_SET) {
            machine->here[machine->here_count++] = at;
        } else if (step->kind == STEP_GO || step->kind == STEP_FORK) {
            reach(machine, step->to);
            if (step->kind == STEP_FORK)
                reach(machine, step->other);
        } else if (holds(machine, step->kind)) {
            reach(machine, at + 1);
        }
    }
    return false;
}

/* A match may begin at every place. */
static bool
arrive(struct machine *machine)
{
    machine->round++;
    machine->here_count = machine->stack_count = 0;
    reach(machine, 0);
    for (unsigned i = 0; i < machine->next_count; i++)
        reach(machine, machine->next[i]);
    machine->next_count = 0;
    return follow(machine);
}

static bool
run(struct machine *machine, struct slice text, uint64_t *work)
{
    machine->before = NO_CHARACTER;
    for (;;) {
        struct slice rest = text;

        machine->after = text.len > 0 ? (int64_t)pattern_take_character(&rest) : NO_CHARACTER;
        if (arrive(machine))
            return true;
        if (text.len == 0)
            return false;
        for (unsigned i = 0; i < machine->here_count; i++)
            if (contains(machine->pattern->steps[machine->here[i]].set, (uint32_t)machine->after))
                machine->next[machine->next_count++] = machine->here[i] + 1;
        if (*work <= machine->here_count) {
            *work = 0;
            return false;
        }
        *work -= machine->here_count + 1;
        machine->before = machine->after;
        text = rest;
    }
}

bool
pattern_finds(const struct pattern *pattern, struct slice text, uint64_t *work)
{
    unsigned count = pattern->count;
    struct machine machine = {.pattern = pattern};
    unsigned *places = must_calloc(3 * (size_t)count, sizeof(*places));
    bool found;

    machine.here = places;
    machine.next = places + count;
    machine.stack = places + 2 * (size_t)count;
    machine.seen = must_calloc(count, sizeof(*machine.seen));
    found = run(&machine, text, work);
    free(machine.seen);
    free(places);
    return found;
}
