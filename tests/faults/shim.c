/* Faults on demand, for a process that was started with this library in LD_PRELOAD.
 *
 * Calls of libc that change files below a folder are counted by kind. When the counter reaches a
 * number that was asked for, the call fails with an errno, or the process dies before or after it.
 * C's buffered files are covered at their own calls, because libc does not reach write() through
 * the symbol table: a failing fclose() loses what was still in its buffer, as on a full disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE = 1, SYNC = 2, CLOSE = 4, CUT = 8, RENAME = 16, MAKE = 32, REMOVE = 64 };
enum action { COUNT, FAIL, DIE_BEFORE, DIE_AFTER, TEAR };

static int kinds, action, error_number, sticky;
static long number, counter, tally[7];
static char prefix[4096];
static __thread int inside;

void fault_arm(int k, int a, int e, int s, long n, const char *p) {
    strncpy(prefix, p, sizeof prefix - 1);
    kinds = k, action = a, error_number = e, sticky = s, number = n, counter = 0;
    memset(tally, 0, sizeof tally);
}

void fault_disarm(void) {
    kinds = 0;
}

/* How many calls of one kind there were since the last arming. */
long fault_tally(int kind) {
    return tally[__builtin_ctz(kind)];
}

static int below(const char *path) {
    char whole[8192];
    if (path[0] != '/') {
        char here[4096];
        if (!getcwd(here, sizeof here)) return 0;
        snprintf(whole, sizeof whole, "%s/%s", here, path);
        path = whole;
    }
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

static int below_fd(int fd) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return below(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Say what is to happen to this call: 0 nothing, 1 it fails, 2 it is torn, 3 die after it. */
static int fate(enum kind kind, int concerned) {
    if (!(kinds & kind) || inside || !concerned) return 0;
    __sync_add_and_fetch(&tally[__builtin_ctz(kind)], 1);
    long at = __sync_add_and_fetch(&counter, 1);
    int now = at == number || (sticky && at > number);
    if (!now || action == COUNT) return 0;
    if (action == DIE_BEFORE) die();
    if (action == DIE_AFTER) return 3;
    if (action == TEAR) return 2;
    errno = error_number;
    return 1;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* A torn write stores its first half; then the process dies, or the next write fails. */
static ssize_t torn(ssize_t written) {
    if (error_number == 0) die();
    action = FAIL, number = counter + 1;
    return written;
}

#define SIMPLE(kind, concerned, type, failed, name, parameters, arguments) \
    type name parameters { \
        REAL(name); \
        int f = kinds ? fate(kind, concerned) : 0; \
        if (f == 1) return failed; \
        type result = real arguments; \
        if (f == 3) die(); \
        return result; \
    }

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    int f = kinds ? fate(WRITE, below_fd(fd)) : 0;
    if (f == 1) return -1;
    if (f == 2) return torn(real(fd, data, (size + 1) / 2));
    ssize_t result = real(fd, data, size);
    if (f == 3) die();
    return result;
}
SIMPLE(WRITE, below_fd(fd), ssize_t, -1, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
SIMPLE(WRITE, below_fd(fd), ssize_t, -1, pwrite, (int fd, const void *d, size_t n, off_t o),
       (fd, d, n, o))
SIMPLE(WRITE, below_fd(fd), ssize_t, -1, pwrite64, (int fd, const void *d, size_t n, off64_t o),
       (fd, d, n, o))
SIMPLE(WRITE, below_fd(fd), ssize_t, -1, sendfile, (int fd, int in, off_t *o, size_t n),
       (fd, in, o, n))
SIMPLE(WRITE, below_fd(fd), ssize_t, -1, sendfile64, (int fd, int in, off64_t *o, size_t n),
       (fd, in, o, n))
SIMPLE(WRITE, below_fd(out), ssize_t, -1, copy_file_range,
       (int in, off64_t *i, int out, off64_t *o, size_t n, unsigned flags),
       (in, i, out, o, n, flags))
SIMPLE(SYNC, below_fd(fd), int, -1, fsync, (int fd), (fd))
SIMPLE(SYNC, below_fd(fd), int, -1, fdatasync, (int fd), (fd))
SIMPLE(CUT, below_fd(fd), int, -1, ftruncate, (int fd, off_t n), (fd, n))
SIMPLE(CUT, below_fd(fd), int, -1, ftruncate64, (int fd, off64_t n), (fd, n))
SIMPLE(RENAME, below(to), int, -1, rename, (const char *from, const char *to), (from, to))
SIMPLE(RENAME, 1, int, -1, renameat, (int a, const char *from, int b, const char *to),
       (a, from, b, to))
SIMPLE(RENAME, 1, int, -1, renameat2,
       (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
SIMPLE(MAKE, below(path), int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
SIMPLE(REMOVE, below(path), int, -1, unlink, (const char *path), (path))
SIMPLE(REMOVE, below(path), int, -1, rmdir, (const char *path), (path))
SIMPLE(REMOVE, below_fd(fd), int, -1, unlinkat, (int fd, const char *path, int flags),
       (fd, path, flags))

static int is_written(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && below_fd(fd);
}

/* Only of what was written: there it says that something was lost. The descriptor is gone
 * whatever close() says, as on Linux. */
int close(int fd) {
    REAL(close);
    int f = kinds ? fate(CLOSE, is_written(fd)) : 0;
    int result = real(fd);
    if (f == 3) die();
    if (f != 1) return result;
    errno = error_number;
    return -1;
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    REAL(fwrite);
    if (kinds && fate(WRITE, below_fd(fileno(file))) == 1) return 0;
    return real(data, size, count, file);
}

int fclose(FILE *file) {
    REAL(fclose);
    int f = kinds ? fate(CLOSE, is_written(fileno(file))) : 0;
    if (!f) return real(file);
    struct stat before;
    int copy = dup(fileno(file));
    fstat(copy, &before);
    real(file);
    inside = 1;
    if (f == 3) die();
    if (ftruncate(copy, before.st_size)) abort();
    close(copy);
    inside = 0;
    errno = error_number;
    return EOF;
}
