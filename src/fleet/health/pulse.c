#include "fleet/health/pulse.h"

const char *
pulse_state_name(enum pulse_state state)
{
    static const char *const names[] = {
        [PULSE_UNKNOWN] = "unknown", [PULSE_UP] = "up", [PULSE_LOADING] = "loading", [PULSE_DOWN] = "down"};

    return names[state];
}

usec
pulse_until_us(const struct pulse *pulse)
{
    return atomic_load_explicit(&pulse->until_us, memory_order_relaxed);
}

static enum pulse_state
last_state(const struct pulse *pulse)
{
    return (enum pulse_state)atomic_load_explicit(&pulse->state, memory_order_relaxed);
}

enum pulse_state
pulse_state(const struct pulse *pulse, usec now_us)
{
    enum pulse_state state = last_state(pulse);

    return state != PULSE_UNKNOWN && now_us < pulse_until_us(pulse) ? state : PULSE_UNKNOWN;
}

/* A server that was up and says 503 is ill; one that was not is on its way. */
static enum pulse_state
next_state(struct pulse *pulse, enum pulse_state state, enum pulse_answer answer)
{
    if (answer == PULSE_GOOD) {
        pulse->failed = 0;
        return PULSE_UP;
    }
    if (answer == PULSE_NOT_YET && state != PULSE_UP) {
        pulse->failed = 0;
        return PULSE_LOADING;
    }
    if (pulse->failed < PULSE_FAILURES)
        pulse->failed++;
    return state == PULSE_UP && pulse->failed < PULSE_FAILURES ? PULSE_UP : PULSE_DOWN;
}

bool
pulse_told(struct pulse *pulse, enum pulse_answer answer, usec asked_us, usec now_us, usec every_us)
{
    enum pulse_state before = pulse_state(pulse, now_us), after;

    if (answer != PULSE_GOOD && atomic_load_explicit(&pulse->worked_us, memory_order_relaxed) >= asked_us)
        return false; /* it served a request meanwhile: the question is what failed */
    after = next_state(pulse, before, answer);
    atomic_store_explicit(&pulse->until_us, now_us + PULSE_INTERVALS * every_us, memory_order_relaxed);
    atomic_store_explicit(&pulse->state, after, memory_order_relaxed);
    return after != before;
}

void
pulse_worked(struct pulse *pulse, usec now_us)
{
    unsigned state = atomic_load_explicit(&pulse->state, memory_order_relaxed);

    atomic_store_explicit(&pulse->worked_us, now_us, memory_order_relaxed);
    if (state == PULSE_DOWN || state == PULSE_LOADING)
        atomic_store_explicit(&pulse->state, PULSE_UP, memory_order_relaxed);
}
