/* A lock for short critical sections in rooms that may not see threads otherwise. Whoever holds one calls nothing that
 * takes another, blocks or answers. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

struct lock {
    _Alignas(8) unsigned char inside[48];
};

void lock_init(struct lock *lock);
void lock_destroy(struct lock *lock);
void lock_take(struct lock *lock);
void lock_drop(struct lock *lock);

#endif
