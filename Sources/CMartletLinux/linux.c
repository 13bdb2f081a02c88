#define _GNU_SOURCE
#include "martlet_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

void martlet_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

static int set_lock(int fd, int64_t offset, short type, int command) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1, .l_pid = 0};
    while (fcntl(fd, command, &lock) == -1) {
        if (errno != EINTR) return errno;
    }
    return 0;
}

int martlet_lock_byte(int fd, int64_t offset) { return set_lock(fd, offset, F_WRLCK, F_OFD_SETLKW); }

int martlet_try_lock_byte(int fd, int64_t offset) { return set_lock(fd, offset, F_WRLCK, F_OFD_SETLK); }

int martlet_unlock_byte(int fd, int64_t offset) { return set_lock(fd, offset, F_UNLCK, F_OFD_SETLK); }

int martlet_probe_byte(int fd, int64_t offset) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1, .l_pid = 0};
    if (fcntl(fd, F_OFD_GETLK, &lock) == -1) return errno;
    return lock.l_type == F_UNLCK ? 0 : EAGAIN;
}

int martlet_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
