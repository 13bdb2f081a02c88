// What Glibc's Swift module leaves out.
#ifndef MARTLET_LINUX_H
#define MARTLET_LINUX_H

#include <semaphore.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/xattr.h>

#include "martlet_warden.h"

/// What `top -H` and debuggers call the calling thread; at most 15 bytes.
void martlet_name_thread(const char *name);

/// A pointer of the calling thread's own; NULL until it is set.
void *martlet_thread_note(void);
void martlet_set_thread_note(void *note);

/// Waits at most so many nanoseconds, by the monotonic clock. Returns 0, or ETIMEDOUT. EINTR is retried.
int martlet_wait_semaphore(sem_t *semaphore, int64_t nanoseconds);

// Open-file-description locks on one byte of a file (fcntl(2), F_OFD_*). They belong to the open file, not to the
// process: two openings in one process exclude each other, and closing another descriptor of the file frees nothing.
// All return 0, or an errno.

/// Waits until the byte is ours. EINTR is retried.
int martlet_lock_byte(int fd, int64_t offset);
/// EAGAIN (or EACCES) when somebody else holds it.
int martlet_try_lock_byte(int fd, int64_t offset);
int martlet_unlock_byte(int fd, int64_t offset);
/// EAGAIN when somebody else holds it; takes nothing.
int martlet_probe_byte(int fd, int64_t offset);

/// The new program gets none of our descriptors from `first` on.
int martlet_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/// Unmaps all code and constants of the program and its libraries. What is used again comes back from the page cache, or from
/// the file, a page at a time.
void martlet_let_go_of_code(void);

#endif
