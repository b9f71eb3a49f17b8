/* Locks, conditions and threads of the platform: POSIX, Windows, or none with G2P_NO_THREADS. */
#ifndef G2P_THREADS_H
#define G2P_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(G2P_NO_THREADS)

typedef int g2p_mutex;
typedef int g2p_condition;
typedef int g2p_thread;

static inline bool g2p_mutex_begin(g2p_mutex *mutex) {
  *mutex = 0;
  return true;
}
static inline void g2p_mutex_end(g2p_mutex *mutex) { (void)mutex; }
static inline void g2p_lock(g2p_mutex *mutex) { (void)mutex; }
static inline void g2p_unlock(g2p_mutex *mutex) { (void)mutex; }
static inline bool g2p_condition_begin(g2p_condition *condition) {
  *condition = 0;
  return true;
}
static inline void g2p_condition_end(g2p_condition *condition) { (void)condition; }
static inline void g2p_wait(g2p_condition *condition, g2p_mutex *mutex) { (void)condition, (void)mutex; }
static inline void g2p_wake_all(g2p_condition *condition) { (void)condition; }
#define G2P_THREAD_MAIN(name, argument) static int name(void *argument)
#define G2P_THREAD_END 0
static inline bool g2p_start(g2p_thread *thread, int (*entry)(void *), void *argument) {
  (void)thread, (void)entry, (void)argument;
  return false;
}
static inline void g2p_join(g2p_thread thread) { (void)thread; }

#elif defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef SRWLOCK g2p_mutex;
typedef CONDITION_VARIABLE g2p_condition;
typedef HANDLE g2p_thread;

static inline bool g2p_mutex_begin(g2p_mutex *mutex) {
  InitializeSRWLock(mutex);
  return true;
}
static inline void g2p_mutex_end(g2p_mutex *mutex) { (void)mutex; }
static inline void g2p_lock(g2p_mutex *mutex) { AcquireSRWLockExclusive(mutex); }
static inline void g2p_unlock(g2p_mutex *mutex) { ReleaseSRWLockExclusive(mutex); }
static inline bool g2p_condition_begin(g2p_condition *condition) {
  InitializeConditionVariable(condition);
  return true;
}
static inline void g2p_condition_end(g2p_condition *condition) { (void)condition; }
static inline void g2p_wait(g2p_condition *condition, g2p_mutex *mutex) {
  SleepConditionVariableSRW(condition, mutex, INFINITE, 0);
}
static inline void g2p_wake_all(g2p_condition *condition) { WakeAllConditionVariable(condition); }
#define G2P_THREAD_MAIN(name, argument) static DWORD WINAPI name(LPVOID argument)
#define G2P_THREAD_END 0
static inline bool g2p_start(g2p_thread *thread, LPTHREAD_START_ROUTINE entry, void *argument) {
  *thread = CreateThread(NULL, 0, entry, argument, 0, NULL);
  return *thread != NULL;
}
static inline void g2p_join(g2p_thread thread) {
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

#else

#include <pthread.h>
#include <unistd.h>

typedef pthread_mutex_t g2p_mutex;
typedef pthread_cond_t g2p_condition;
typedef pthread_t g2p_thread;

static inline bool g2p_mutex_begin(g2p_mutex *mutex) { return pthread_mutex_init(mutex, NULL) == 0; }
static inline void g2p_mutex_end(g2p_mutex *mutex) { pthread_mutex_destroy(mutex); }
static inline void g2p_lock(g2p_mutex *mutex) { pthread_mutex_lock(mutex); }
static inline void g2p_unlock(g2p_mutex *mutex) { pthread_mutex_unlock(mutex); }
static inline bool g2p_condition_begin(g2p_condition *condition) { return pthread_cond_init(condition, NULL) == 0; }
static inline void g2p_condition_end(g2p_condition *condition) { pthread_cond_destroy(condition); }
static inline void g2p_wait(g2p_condition *condition, g2p_mutex *mutex) { pthread_cond_wait(condition, mutex); }
static inline void g2p_wake_all(g2p_condition *condition) { pthread_cond_broadcast(condition); }
#define G2P_THREAD_MAIN(name, argument) static void *name(void *argument)
#define G2P_THREAD_END NULL
static inline bool g2p_start(g2p_thread *thread, void *(*entry)(void *), void *argument) {
  return pthread_create(thread, NULL, entry, argument) == 0;
}
static inline void g2p_join(g2p_thread thread) { pthread_join(thread, NULL); }

#endif
#endif
