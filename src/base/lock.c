#define _GNU_SOURCE /* pthread_rwlockattr_setkind_np */
#include "base/lock.h"

#include <errno.h>
#include <pthread.h>

#include "base/status.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct lock), "struct lock is too small for a mutex");
_Static_assert(sizeof(pthread_rwlock_t) <= sizeof(struct shared_lock), "struct shared_lock is too small");

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

bool
lock_try(struct lock *lock)
{
    int failed = pthread_mutex_trylock(mutex(lock));

    ENSURE(failed == 0 || failed == EBUSY);
    return failed == 0;
}

void
lock_drop(struct lock *lock)
{
    int failed = pthread_mutex_unlock(mutex(lock));

    ENSURE(!failed);
}

static pthread_rwlock_t *
read_write(struct shared_lock *lock)
{
    return (pthread_rwlock_t *)(void *)lock->inside;
}

void
shared_lock_init(struct shared_lock *lock)
{
    pthread_rwlockattr_t kind;
    int failed = pthread_rwlockattr_init(&kind);

#ifdef __GLIBC__ /* the default lets readers pass writers for ever */
    failed |= pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    failed |= pthread_rwlock_init(read_write(lock), &kind);
    failed |= pthread_rwlockattr_destroy(&kind);
    ENSURE(!failed);
}

void
shared_lock_destroy(struct shared_lock *lock)
{
    int failed = pthread_rwlock_destroy(read_write(lock));

    ENSURE(!failed);
}

void
shared_lock_take_to_read(struct shared_lock *lock)
{
    int failed = pthread_rwlock_rdlock(read_write(lock));

    ENSURE(!failed);
}

void
shared_lock_take_to_write(struct shared_lock *lock)
{
    int failed = pthread_rwlock_wrlock(read_write(lock));

    ENSURE(!failed);
}

void
shared_lock_drop(struct shared_lock *lock)
{
    int failed = pthread_rwlock_unlock(read_write(lock));

    ENSURE(!failed);
}
