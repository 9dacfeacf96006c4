/* Faults of the disk, preloaded into the server (LD_PRELOAD), for one of its files.

   TORTURE_FAULT=kill-before:N   the process is killed instead of the Nth sync
   TORTURE_FAULT=kill-after:N    … right after it
   TORTURE_FAULT=eio:N           the Nth sync and all later ones fail
   TORTURE_FAULT=once:N          the Nth sync fails, later ones do not
   TORTURE_FAULT=full:N          from the Nth write on there is no space
   TORTURE_FAULT=bad:N           the Nth write and all later ones fail
   TORTURE_FAULT=lie:N           from the Nth sync on they do nothing, and say that they did
   TORTURE_FAULT=slow:MS         every sync takes so much longer
   TORTURE_FILE=…                a pattern for the file's path; the ledger's if not given
   TORTURE_FROM=…                a file; nothing happens and nothing is counted before it is there */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long syncs, writes;

static int is_harmed(int fd) {
    const char *from = getenv("TORTURE_FROM"), *pattern = getenv("TORTURE_FILE");
    if (from && access(from, F_OK) != 0) return 0;
    if (!pattern) pattern = "*-ledger-?";
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fnmatch(pattern, path, 0) == 0;
}

/* The number after the colon if the fault is of this kind, else 0. */
static long asked(const char *kind) {
    const char *fault = getenv("TORTURE_FAULT");
    size_t length = strlen(kind);
    return fault && strncmp(fault, kind, length) == 0 && fault[length] == ':'
               ? atol(fault + length + 1) : 0;
}

static int synced(int fd, const char *name) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!getenv("TORTURE_FAULT") || !is_harmed(fd)) return real(fd);
    long now = __atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST), ms = asked("slow");
    if (ms) {
        struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    if (now == asked("kill-before")) raise(SIGKILL);
    if ((asked("eio") && now >= asked("eio")) || now == asked("once")) { errno = EIO; return -1; }
    if (asked("lie") && now >= asked("lie")) return 0;
    int result = real(fd);
    if (now == asked("kill-after")) raise(SIGKILL);
    return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

/* Whether this write is to fail; errno says how. */
static int fails(int fd) {
    if (!(asked("full") || asked("bad")) || !is_harmed(fd)) return 0;
    long now = __atomic_add_fetch(&writes, 1, __ATOMIC_SEQ_CST);
    errno = asked("full") ? ENOSPC : EIO;
    return now >= (asked("full") ? asked("full") : asked("bad"));
}

static ssize_t written(int fd, const void *data, size_t size, off_t at, const char *name) {
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
    return fails(fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return written(fd, data, size, at, "pwrite");
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return written(fd, data, size, at, "pwrite64");
}
ssize_t write(int fd, const void *data, size_t size) {
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    return fails(fd) ? -1 : real(fd, data, size);
}
