/* Faults of the disk, preloaded into the server (LD_PRELOAD), for commits to the write-ahead log.

   TORTURE_FAULT=kill-before:N   the process is killed instead of the Nth sync
   TORTURE_FAULT=kill-after:N    … right after it
   TORTURE_FAULT=eio:N           the Nth sync and all later ones fail
   TORTURE_FAULT=slow:MS         every sync takes so much longer */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long syncs;

static int is_log(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 4) return 0;
    path[length] = 0;
    return strcmp(path + length - 4, "-wal") == 0;
}

static int synced(int fd, const char *name) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *fault = getenv("TORTURE_FAULT");
    const char *colon = fault ? strchr(fault, ':') : NULL;
    if (colon == NULL || !is_log(fd)) return real(fd);
    long number = atol(colon + 1), now = __atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST);
    if (strncmp(fault, "slow", 4) == 0) {
        struct timespec pause = {number / 1000, number % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    if (strncmp(fault, "kill-before", 11) == 0 && now == number) raise(SIGKILL);
    if (strncmp(fault, "eio", 3) == 0 && now >= number) { errno = EIO; return -1; }
    int result = real(fd);
    if (strncmp(fault, "kill-after", 10) == 0 && now == number) raise(SIGKILL);
    return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }
