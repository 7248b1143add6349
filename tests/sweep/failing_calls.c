/* Makes one system call fail: preloaded into a process, it counts the calls on one directory and lets the n-th fail.

   Build it with _FILE_OFFSET_BITS=64: the names below then become those that Python calls (open64, stat64, …). */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum how { NOTHING, FAILS, SHORT, KILLS }; /* as in `orders.py` */

enum { DESCRIPTORS = 1024, LONGEST_NAME = 128, LONGEST_TRACE = 1 << 17 };

static int armed;
static char directory[4096];
static char opened[DESCRIPTORS][LONGEST_NAME]; /* what each descriptor is in the directory, or "" */
static struct { enum how how; int at, error, lasts; char name[16]; } fault;
static int calls;
static char trace[LONGEST_TRACE]; /* a line for each call: name, file, errno or 0 */
static size_t traced;

/* From now on the calls on the directory are counted, and the call number `at` fails; if it `lasts`, so do all later
   ones of the same name. */
void fail_calls_begin(const char *below, enum how how, int at, int error, int lasts)
{
    snprintf(directory, sizeof directory, "%s", below);
    fault.how = how, fault.at = at, fault.error = error, fault.lasts = lasts, fault.name[0] = 0;
    calls = traced = trace[0] = 0;
    armed = 1;
}

/* Ends that, and returns the trace. */
const char *fail_calls_end(void)
{
    armed = 0;
    return trace;
}

static const char *of_path(const char *path)
{
    size_t length = strlen(directory);
    if (!armed || !path || strncmp(path, directory, length))
        return NULL;
    if (path[length] && path[length] != '/')
        return NULL;
    /* pathlib of Python 3.14 puts a slash behind a directory that it searches. */
    return path[length] && path[length + 1] ? path + length + 1 : ".";
}

static const char *of_descriptor(int fd)
{
    return armed && fd >= 0 && fd < DESCRIPTORS && opened[fd][0] ? opened[fd] : NULL;
}

static const char *of_either(int fd, const char *path)
{
    return path && path[0] == '/' ? of_path(path) : of_descriptor(fd);
}

static int remember(int fd, const char *file)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        snprintf(opened[fd], LONGEST_NAME, "%s", file ? file : "");
    return fd;
}

/* Counts a call; returns what happens to it. */
static enum how strike(const char *name)
{
    int number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (number == fault.at)
        snprintf(fault.name, sizeof fault.name, "%s", name);
    else if (!fault.lasts || strcmp(name, fault.name))
        return NOTHING;
    if (fault.how == KILLS)
        kill(getpid(), SIGKILL);
    errno = fault.error;
    return fault.how;
}

static size_t part(enum how how, size_t size)
{
    return how == SHORT ? (size + 1) / 2 : size;
}

static void note(const char *name, const char *file, int error)
{
    static volatile char busy;
    int kept = errno;
    while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
        ;
    if (traced < LONGEST_TRACE - 256)
        traced += snprintf(trace + traced, 256, "%s %.128s %d\n", name, file, error);
    __atomic_clear(&busy, __ATOMIC_RELEASE);
    errno = kept;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* The body of a call on `file`, which is NULL outside of the directory; `made` makes the call. */
#define BODY(type, failure, name, file, made) \
    const char *in = (file); \
    enum how how = in ? strike(name) : NOTHING; \
    type result = how == FAILS ? (failure) : (made); \
    if (in) \
        note(name, in, result == (failure) ? errno : 0); \
    return result

#define CALL(type, name, failure, file, parameters, arguments) \
    type name parameters { REAL(name); BODY(type, failure, #name, file, real arguments); }

CALL(int, stat, -1, of_path(path), (const char *path, struct stat *status), (path, status))
CALL(int, lstat, -1, of_path(path), (const char *path, struct stat *status), (path, status))
CALL(int, fstat, -1, of_descriptor(fd), (int fd, struct stat *status), (fd, status))
CALL(int, fstatat, -1, of_either(fd, path), (int fd, const char *path, struct stat *status, int flags),
     (fd, path, status, flags))
CALL(int, statvfs, -1, of_path(path), (const char *path, struct statvfs *status), (path, status))
CALL(int, fstatvfs, -1, of_descriptor(fd), (int fd, struct statvfs *status), (fd, status))
CALL(int, statfs, -1, of_path(path), (const char *path, struct statfs *status), (path, status))
CALL(int, fstatfs, -1, of_descriptor(fd), (int fd, struct statfs *status), (fd, status))
CALL(int, access, -1, of_path(path), (const char *path, int mode), (path, mode))
CALL(ssize_t, readlink, -1, of_path(path), (const char *path, char *text, size_t size), (path, text, size))
CALL(int, mkdir, -1, of_path(path), (const char *path, mode_t mode), (path, mode))
CALL(int, chmod, -1, of_path(path), (const char *path, mode_t mode), (path, mode))
CALL(int, fchmod, -1, of_descriptor(fd), (int fd, mode_t mode), (fd, mode))
CALL(int, rename, -1, of_path(path), (const char *old, const char *path), (old, path))
CALL(int, link, -1, of_path(path), (const char *old, const char *path), (old, path))
CALL(int, unlink, -1, of_path(path), (const char *path), (path))
CALL(int, utimensat, -1, of_either(fd, path), (int fd, const char *path, const struct timespec times[2], int flags),
     (fd, path, times, flags))
CALL(int, futimens, -1, of_descriptor(fd), (int fd, const struct timespec times[2]), (fd, times))
CALL(int, ftruncate, -1, of_descriptor(fd), (int fd, off_t size), (fd, size))
CALL(off_t, lseek, -1, of_descriptor(fd), (int fd, off_t offset, int whence), (fd, offset, whence))
CALL(int, fsync, -1, of_descriptor(fd), (int fd), (fd))
CALL(int, fdatasync, -1, of_descriptor(fd), (int fd), (fd))
CALL(ssize_t, read, -1, of_descriptor(fd), (int fd, void *bytes, size_t size), (fd, bytes, part(how, size)))
CALL(ssize_t, write, -1, of_descriptor(fd), (int fd, const void *bytes, size_t size), (fd, bytes, part(how, size)))

int flock(int fd, int operation)
{
    REAL(flock);
    BODY(int, -1, operation & LOCK_UN ? "unlock" : "flock", of_descriptor(fd), real(fd, operation));
}

int fcntl(int fd, int command, ...)
{
    REAL(fcntl);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    int locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    BODY(int, -1, "fcntl", locks ? of_descriptor(fd) : NULL, real(fd, command, argument));
}

/* The mode is there only if a file may be created, as for the system call itself. */
#define MODE(flags) \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest)
#define NAME_OF_OPEN(flags) (flags & O_CREAT ? "create" : "open")

int open(const char *path, int flags, ...)
{
    REAL(open);
    MODE(flags);
    BODY(int, -1, NAME_OF_OPEN(flags), of_path(path), remember(real(path, flags, mode), in));
}

int openat(int at, const char *path, int flags, ...)
{
    REAL(openat);
    MODE(flags);
    BODY(int, -1, NAME_OF_OPEN(flags), of_either(at, path), remember(real(at, path, flags, mode), in));
}

/* Closes it whatever happens, as Linux does. */
int close(int fd)
{
    REAL(close);
    char file[LONGEST_NAME];
    const char *known = of_descriptor(fd);
    snprintf(file, sizeof file, "%s", known ? known : "");
    remember(fd, NULL);
    enum how how = known ? strike("close") : NOTHING;
    int error = errno, result = real(fd);
    if (how == FAILS)
        errno = error, result = -1;
    if (known)
        note("close", file, result ? errno : 0);
    return result;
}

DIR *opendir(const char *path)
{
    REAL(opendir);
    const char *file = of_path(path);
    enum how how = file ? strike("opendir") : NOTHING;
    DIR *found = how == FAILS ? NULL : real(path);
    if (file && found)
        remember(dirfd(found), file);
    if (file)
        note("opendir", file, found ? 0 : errno);
    return found;
}

struct dirent *readdir(DIR *found)
{
    REAL(readdir);
    BODY(struct dirent *, NULL, "readdir", of_descriptor(dirfd(found)), (errno = 0, real(found)));
}

int closedir(DIR *found)
{
    REAL(closedir);
    remember(dirfd(found), NULL);
    return real(found);
}
