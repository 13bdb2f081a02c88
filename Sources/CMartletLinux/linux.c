#define _GNU_SOURCE
#include "martlet_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

void martlet_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

static __thread void *thread_note;

void *martlet_thread_note(void) { return thread_note; }

void martlet_set_thread_note(void *note) { thread_note = note; }

int martlet_wait_semaphore(sem_t *semaphore, int64_t nanoseconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec += nanoseconds % 1000000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec += 1;
        until.tv_nsec -= 1000000000;
    }
    while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &until) == -1)
        if (errno != EINTR) return errno;
    return 0;
}

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

static int let_go_of_object(struct dl_phdr_info *object, size_t size, void *data) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    // What is never written is as it was in its file. Relocated parts, also those that are read-only by now, have PF_W.
    if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
    uintptr_t start = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
    uintptr_t end = object->dlpi_addr + part->p_vaddr + part->p_filesz;
    // A mapping that is not a file's refuses, and stays.
    madvise((void *)start, end - start, MADV_DONTNEED);
  }
  return 0;
}

void martlet_let_go_of_code(void) { dl_iterate_phdr(let_go_of_object, NULL); }
