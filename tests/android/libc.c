/* Stands in for Android's libc.so on a Linux with glibc: the two functions that the two C libraries have in other ways.
 *
 * All else that libg2p.so takes from there is glibc's, which has it with the same structures and the kernel's numbers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

int *__errno(void) { return &errno; }

long sysconf(int name) {
  long (*glibc)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
  return glibc(name == 97 ? _SC_NPROCESSORS_ONLN : name == 39 ? _SC_PAGESIZE : name);
}
