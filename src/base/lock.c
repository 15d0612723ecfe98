#include "base/lock.h"

#include <pthread.h>

#include "base/status.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct lock), "struct lock is too small for a mutex");

static pthread_mutex_t *
mutex(struct lock *lock)
{
    return (pthread_mutex_t *)(void *)lock->inside;
}

void
lock_init(struct lock *lock)
{
    int failed = pthread_mutex_init(mutex(lock), NULL);

    ENSURE(!failed);
}

void
lock_destroy(struct lock *lock)
{
    int failed = pthread_mutex_destroy(mutex(lock));

    ENSURE(!failed);
}

void
lock_take(struct lock *lock)
{
    int failed = pthread_mutex_lock(mutex(lock));

    ENSURE(!failed);
}

void
lock_drop(struct lock *lock)
{
    int failed = pthread_mutex_unlock(mutex(lock));

    ENSURE(!failed);
}
