/* Makes a disk fail: what the file that POSTERN_FAULTS names holds says which calls on spool files fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether this call on this file is to fail; errno says with what. */
static int fails(int fd, const char *call) {
    const char *named = getenv("POSTERN_FAULTS");
    char place[64], path[4096], faults[256];
    if (named == NULL) return 0;
    snprintf(place, sizeof place, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(place, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strstr(path, "/spool/") == NULL) return 0;
    int file = open(named, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    length = read(file, faults, sizeof faults - 1);
    close(file);
    if (length <= 0) return 0;
    faults[length] = 0;
    errno = EIO;
    return strstr(faults, call) != NULL;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    /* A disk that fails in the middle has written the first half. */
    if (fails(fd, "torn") && count > 1) {
        if (count < 64) return -1;
        return real(fd, bytes, count / 2, offset);
    }
    return fails(fd, "pwrite") ? -1 : real(fd, bytes, count, offset);
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    return fails(fd, "fdatasync") ? -1 : real(fd);
}
