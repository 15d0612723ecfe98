/* A lock for short critical sections in rooms that may not see threads otherwise. Whoever holds one calls nothing that
 * takes another, blocks or answers. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdbool.h>

struct lock {
    _Alignas(8) unsigned char inside[48];
};

void lock_init(struct lock *lock);
void lock_destroy(struct lock *lock);
void lock_take(struct lock *lock);
bool lock_try(struct lock *lock) __attribute__((warn_unused_result)); /* false: somebody has it */
void lock_drop(struct lock *lock);

/* A lock that any number of readers hold together, or one writer alone. A writer that waits goes before readers that come
 * later: who reads for long drops it now and then and lets writers in. Nobody takes one that he holds. */
struct shared_lock {
    _Alignas(8) unsigned char inside[64];
};

void shared_lock_init(struct shared_lock *lock);
void shared_lock_destroy(struct shared_lock *lock);
void shared_lock_take_to_read(struct shared_lock *lock);
void shared_lock_take_to_write(struct shared_lock *lock);
void shared_lock_drop(struct shared_lock *lock);

#endif
