/* What the core takes from Android's C library, as 64-bit bionic has it since Android 5.0 (API level 21).
 *
 * Its own headers come with the NDK alone, so these few declarations stand in for errno.h, fcntl.h, pthread.h, sched.h,
 * stdlib.h, string.h, sys/auxv.h, sys/mman.h, sys/stat.h, time.h and unistd.h. Numbers without a comment are the kernel's. */
#ifndef G2P_BIONIC_H
#define G2P_BIONIC_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__ANDROID__) || !defined(__LP64__)
#error "this is 64-bit Android's"
#endif

typedef long ssize_t;
typedef int64_t off_t;

int *__errno(void);
#define errno (*__errno())
#define ENOENT 2
#define ENOMEM 12
#define ENOTDIR 20

void *malloc(size_t size);
void free(void *memory);

int memcmp(const void *one, const void *other, size_t size);
void *memchr(const void *memory, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *memory, int byte, size_t size);
size_t strlen(const char *text);
char *strchr(const char *text, int byte);
char *strrchr(const char *text, int byte);
int strcmp(const char *one, const char *other);
int strncmp(const char *one, const char *other, size_t size);

#define O_RDONLY 0
#define O_NONBLOCK 04000
#define O_CLOEXEC 02000000
int open(const char *path, int flags, ...);
int close(int file);
ssize_t read(int file, void *to, size_t size);
ssize_t pread(int file, void *to, size_t size, off_t at);

#define _SC_NPROCESSORS_ONLN 97 /* bionic's own */
#define _SC_PAGESIZE 39         /* bionic's own */
long sysconf(int name);

#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 32
#define MAP_FAILED ((void *)-1)
void *mmap(void *address, size_t size, int protection, int flags, int file, off_t at);
int munmap(void *address, size_t size);

struct stat {
#if defined(__aarch64__)
  uint64_t st_dev, st_ino;
  uint32_t st_mode, other[7];
  int64_t st_size;
  uint64_t more[9];
#else
  uint64_t st_dev, st_ino, st_nlink;
  uint32_t st_mode, other[5];
  int64_t st_size;
  uint64_t more[11];
#endif
};
#define S_ISREG(mode) (((mode) & 0170000) == 0100000)
int fstat(int file, struct stat *found);

#define AT_HWCAP 16
#define AT_HWCAP2 26
unsigned long getauxval(unsigned long type);

struct timespec {
  int64_t tv_sec;
  long tv_nsec;
};
#define CLOCK_MONOTONIC 1
int clock_gettime(int clock, struct timespec *now);

typedef struct cpu_set_t cpu_set_t;
int sched_getaffinity(int process, size_t size, cpu_set_t *set);

typedef long pthread_t;
typedef struct {
  int32_t own[10];
} pthread_mutex_t;
typedef struct {
  int32_t own[12];
} pthread_cond_t;
int pthread_create(pthread_t *thread, const void *attributes, void *(*run)(void *), void *argument);
int pthread_join(pthread_t thread, void **result);
int pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes);
int pthread_mutex_destroy(pthread_mutex_t *mutex);
int pthread_mutex_lock(pthread_mutex_t *mutex);
int pthread_mutex_unlock(pthread_mutex_t *mutex);
int pthread_cond_init(pthread_cond_t *condition, const void *attributes);
int pthread_cond_destroy(pthread_cond_t *condition);
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int pthread_cond_broadcast(pthread_cond_t *condition);

#endif
