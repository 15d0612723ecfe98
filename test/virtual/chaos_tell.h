/* Whatever ends a test in the middle of a random history, be it the test's own check, the program's, a crash or a
 * sanitizer, its script is said, with the command that plays it again. */
#ifndef TEST_CHAOS_TELL_H
#define TEST_CHAOS_TELL_H

#include "chaos.h"

/* From now on it is this one, which stays where it is; NULL: none. */
void chaos_tell_of(const struct chaos_script *script);

/* A test's teardown: scene_teardown, and the script if one is still being told of. */
int chaos_tell_teardown(void **state);

#endif
