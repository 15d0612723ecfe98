#include "chaos_tell.h"

#include <signal.h>

/* There in programs with a sanitizer only: those end without a signal. */
void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static const struct chaos_script *told;

static void
tell(void)
{
    const struct chaos_script *script = told;

    told = NULL; /* once */
    if (script != NULL)
        chaos_print(script, stderr);
}

/* The process is lost anyway: what may not be called in a handler may fail here, and nothing is worse for it. */
static void
tell_and_die(int signal)
{
    tell();
    raise(signal); /* SA_RESETHAND: this ends it */
}

static void
listen_for(int signal)
{
    struct sigaction action = {.sa_handler = tell_and_die, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    struct sigaction before;

    if (sigaction(signal, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        sigaction(signal, &action, NULL);
}

void
chaos_tell_of(const struct chaos_script *script)
{
    static bool listens;

    if (!listens) {
        listen_for(SIGABRT);
        listen_for(SIGSEGV);
        if (__sanitizer_set_death_callback != NULL)
            __sanitizer_set_death_callback(tell);
    }
    listens = true;
    told = script;
}

int
chaos_tell_teardown(void **state)
{
    int failed = scene_teardown(state);

    tell();
    return failed;
}
