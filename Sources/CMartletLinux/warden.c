#define _GNU_SOURCE
#include "martlet_warden.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Everything below the fork is C that allocates nothing: the process it is a fork of had many threads.

#define MAX_DESCRIPTORS 8

int martlet_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == -1 ? errno : 0; }

int martlet_exited(int status) { return WIFEXITED(status); }
int martlet_exit_code(int status) { return WEXITSTATUS(status); }
int martlet_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

// MARK: Between request and program

struct spawn {
    struct martlet_spawn_request request;
    const char *path;
    const char *directory;
    // Where a control group can be made; empty: nowhere.
    const char *groups;
    char group[512];
    // The group itself, and its cgroup.kill; -1: there is none.
    int group_directory;
    int group_kill;
    char **argv;
    char **envp;
    int descriptors[MAX_DESCRIPTORS];
    int count;
    struct failure *failure;
};

/// Written by the child, in memory that it shares with its supervisor.
struct failure {
    volatile int step;
    volatile int error;
};

static int limit(int resource, int64_t soft, int64_t hard) {
    struct rlimit old, new;
    if (getrlimit(resource, &old) == -1) return -1;
    new.rlim_cur = (rlim_t)soft;
    new.rlim_max = (rlim_t)hard;
    // Lowering is for everybody, raising is not.
    if (old.rlim_max != RLIM_INFINITY && new.rlim_max > old.rlim_max) new.rlim_max = old.rlim_max;
    if (new.rlim_cur > new.rlim_max) new.rlim_cur = new.rlim_max;
    return setrlimit(resource, &new);
}

static int apply_limits(const struct martlet_spawn_request *request) {
    // Data, not address space: programs that reserve much and use little are no offenders. What is resident is watched by
    // the supervisor; this bounds what can be had between two of its looks.
    if (request->memory >= 0 && limit(RLIMIT_DATA, 2 * request->memory, 2 * request->memory) == -1) return -1;
    // SIGXCPU at the soft limit, SIGKILL at the hard one.
    if (request->cpu >= 0 && limit(RLIMIT_CPU, request->cpu, request->cpu + 5) == -1) return -1;
    if (request->files >= 0 && limit(RLIMIT_NOFILE, request->files, request->files) == -1) return -1;
    // Only ever nicer: the other way is for those with privileges.
    if (request->nice > getpriority(PRIO_PROCESS, 0) && setpriority(PRIO_PROCESS, 0, (int)request->nice) == -1) return -1;
    return 0;
}

static void prefer_for_oom(void) {
    // When the machine runs out of memory, a job is the better victim than a worker. Where it cannot be said, it is not.
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file == -1) return;
    ssize_t ignored = write(file, "500", 3);
    (void)ignored;
    close(file);
}

// Raw calls: glibc's would change all threads of what it takes for this process.
static int become(const struct martlet_spawn_request *request, int *step) {
    *step = MARTLET_STEP_GROUP;
    if (request->user >= 0 || request->group >= 0) {
        if (syscall(SYS_setgroups, 0, NULL) == -1) return -1;
    }
    if (request->group >= 0) {
        gid_t group = (gid_t)request->group;
        if (syscall(SYS_setresgid, group, group, group) == -1) return -1;
    }
    *step = MARTLET_STEP_USER;
    if (request->user >= 0) {
        uid_t user = (uid_t)request->user;
        if (syscall(SYS_setresuid, user, user, user) == -1) return -1;
    }
    return 0;
}

static void default_signals(void) {
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noinline, noreturn)) static void become_program(struct spawn *spawn, pid_t supervisor) {
    const struct martlet_spawn_request *request = &spawn->request;
    int step = MARTLET_STEP_LIMITS;
    setsid();
    prefer_for_oom();
    if (apply_limits(request) == -1) goto failed;
    if (become(request, &step) == -1) goto failed;
    step = MARTLET_STEP_DIRECTORY;
    if (spawn->directory[0] != 0 && chdir(spawn->directory) == -1) goto failed;
    step = MARTLET_STEP_DESCRIPTORS;
    for (int number = 0; number < spawn->count; number++) {
        if (dup2(spawn->descriptors[number], number) == -1) goto failed;
    }
    if (syscall(SYS_close_range, spawn->count, ~0U, 0) == -1) goto failed;
    step = MARTLET_STEP_EXECUTE;
    default_signals();
    // Set last: changing the user takes it back.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) _exit(127);
    execve(spawn->path, spawn->argv, spawn->envp);
failed:
    spawn->failure->error = errno;
    spawn->failure->step = step;
    _exit(127);
}

// MARK: Looking after a child

struct watch {
    int control;
    int group_kill;
    pid_t child;
    int has_ended;
    int status;
    int limit;
    int64_t peak;
    // The most that a look found.
    int64_t seen;
    int64_t processor_time;
};

static int64_t microseconds(struct timeval time) { return (int64_t)time.tv_sec * 1000000 + time.tv_usec; }

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/// Reads a small file. Returns its length; 0 for none.
static size_t read_file(const char *path, char *buffer, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file == -1) return 0;
    size_t length = 0;
    while (length < size - 1) {
        ssize_t count = read(file, buffer + length, size - 1 - length);
        if (count == -1 && errno == EINTR) continue;
        if (count <= 0) break;
        length += (size_t)count;
    }
    close(file);
    buffer[length] = 0;
    return length;
}

#define MAX_PROCESSES 8192
static pid_t processes[MAX_PROCESSES];

/// Adds the children of a thread to `processes`. Those that do not fit die of the limit, or with the next look.
static int add_children(const char *path, int count) {
    static char text[32768];
    size_t length = read_file(path, text, sizeof text);
    pid_t number = 0;
    for (size_t index = 0; index < length; index++) {
        if (text[index] >= '0' && text[index] <= '9') {
            number = number * 10 + (text[index] - '0');
        } else if (number > 0) {
            if (count < MAX_PROCESSES) processes[count++] = number;
            number = 0;
        }
    }
    return count;
}

struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/// A directory that is read without the library, which would allocate: this is the child of a process with threads.
struct directory {
    int file;
    long length;
    long offset;
    _Alignas(struct directory_entry) char entries[4096];
};

static int open_directory(struct directory *directory, const char *path) {
    directory->file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    directory->length = 0;
    directory->offset = 0;
    return directory->file != -1;
}

/// The next name in it; NULL: no more, and it is closed.
static const char *next_name(struct directory *directory) {
    if (directory->offset >= directory->length) {
        directory->offset = 0;
        directory->length = syscall(SYS_getdents64, directory->file, directory->entries, sizeof directory->entries);
        if (directory->length <= 0) {
            close(directory->file);
            return NULL;
        }
    }
    struct directory_entry *entry = (struct directory_entry *)(directory->entries + directory->offset);
    directory->offset += entry->length;
    return entry->name;
}

static pid_t parent_of(const char *process) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%.16s/stat", process);
    if (read_file(path, text, sizeof text) == 0) return 0;
    // A name may hold anything, parentheses as well.
    const char *after = strrchr(text, ')');
    pid_t parent = 0;
    return after != NULL && sscanf(after, ") %*c %d", &parent) == 1 ? parent : 0;
}

/// What the kernel lists where it is configured to, found by asking all processes for their parent.
static int scan_children(pid_t parent, int count) {
    struct directory directory;
    if (!open_directory(&directory, "/proc")) return count;
    for (const char *name; (name = next_name(&directory)) != NULL;) {
        if (name[0] < '1' || name[0] > '9' || parent_of(name) != parent) continue;
        if (count < MAX_PROCESSES) processes[count++] = atoi(name);
    }
    return count;
}

int martlet_scan_children(pid_t parent, pid_t *found, int most) {
    int count = scan_children(parent, 0);
    for (int index = 0; index < count && index < most; index++) found[index] = processes[index];
    return count;
}

#define CHILDREN "/proc/thread-self/children"

static int lists_children(void) {
    static int known = -1;
    if (known == -1) known = access(CHILDREN, F_OK) == 0;
    return known;
}

static int direct_children(void) { return lists_children() ? add_children(CHILDREN, 0) : scan_children(getpid(), 0); }

static int64_t private_bytes(pid_t process) {
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/%d/statm", process);
    long size = 0, resident = 0, shared = 0;
    if (read_file(path, text, sizeof text) == 0) return 0;
    if (sscanf(text, "%ld %ld %ld", &size, &resident, &shared) != 3) return 0;
    return (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
}

/// Any of its threads may have started processes.
static int add_descendants(pid_t process, int count) {
    if (!lists_children()) return scan_children(process, count);
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    struct directory directory;
    if (!open_directory(&directory, path)) return count;
    for (const char *name; (name = next_name(&directory)) != NULL;) {
        if (name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", process, name);
        count = add_children(path, count);
    }
    return count;
}

/// Looks at all processes of the child. Returns the milliseconds until the next look; 0 when a limit was passed.
static int look(struct watch *watch, const struct martlet_spawn_request *request) {
    int count = direct_children();
    int64_t bytes = 0;
    for (int index = 0; index < count; index++) {
        bytes += private_bytes(processes[index]);
        count = add_descendants(processes[index], count);
    }
    if (bytes > watch->seen) watch->seen = bytes;
    if (request->processes >= 0 && count > request->processes) watch->limit = MARTLET_LIMIT_PROCESSES;
    if (request->memory >= 0 && bytes > request->memory) watch->limit = MARTLET_LIMIT_MEMORY;
    if (watch->limit != MARTLET_LIMIT_NONE) return 0;
    int next = request->processes >= 0 ? 20 : 200;
    if (request->memory >= 0) {
        // Nothing fills more than about 2 GiB a second.
        int64_t soonest = (request->memory - bytes) / (2 << 20);
        if (soonest < next) next = soonest < 10 ? 10 : (int)soonest;
    }
    return next;
}

static void kill_children(int group_kill) {
    // All at once, where there is a group: nothing can fork faster than that.
    if (group_kill != -1) {
        ssize_t ignored = write(group_kill, "1", 1);
        (void)ignored;
    }
    int count = direct_children();
    // They are ours and not reaped: no number here can have become somebody else's.
    for (int index = 0; index < count; index++) kill(processes[index], SIGKILL);
}

/// Returns whether any child is left.
static int reap(struct watch *watch) {
    for (;;) {
        int status;
        struct rusage usage;
        pid_t process = wait4(-1, &status, WNOHANG, &usage);
        if (process == -1 && errno == EINTR) continue;
        if (process == -1) return 0;
        if (process == 0) return 1;
        watch->processor_time += microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
        if ((int64_t)usage.ru_maxrss * 1024 > watch->peak) watch->peak = (int64_t)usage.ru_maxrss * 1024;
        if (process == watch->child) {
            watch->has_ended = 1;
            watch->status = status;
        }
    }
}

static void await_signal(int signals, int milliseconds) {
    struct pollfd wait = {.fd = signals, .events = POLLIN};
    if (poll(&wait, 1, milliseconds) <= 0) return;
    struct signalfd_siginfo infos[8];
    while (read(signals, infos, sizeof infos) > 0) {}
}

/// Kills until nothing is left; what is killed may leave orphans, which then are ours.
/// Returns whether all are gone: a process that sleeps in the kernel may take its time.
static int end_all(struct watch *watch, int signals, int milliseconds) {
    int64_t deadline = monotonic_ms() + milliseconds;
    for (;;) {
        kill_children(watch->group_kill);
        if (!reap(watch)) return 1;
        if (milliseconds >= 0 && monotonic_ms() >= deadline) return 0;
        await_signal(signals, 20);
    }
}

static long machine_oom_kills(void) {
    static char text[32768];
    if (read_file("/proc/vmstat", text, sizeof text) == 0) return 0;
    const char *line = strstr(text, "\noom_kill ");
    return line == NULL ? 0 : strtol(line + 10, NULL, 10);
}

static void tell(int control, const struct martlet_child_report *report) {
    const char *bytes = (const char *)report;
    size_t sent = 0;
    while (sent < sizeof *report) {
        ssize_t count = send(control, bytes + sent, sizeof *report - sent, MSG_NOSIGNAL);
        if (count == -1 && errno == EINTR) continue;
        if (count <= 0) return;  // Nobody is there to know.
        sent += (size_t)count;
    }
}

static void tell_failure(int control, int step, int error) {
    struct martlet_child_report report;
    memset(&report, 0, sizeof report);
    report.event = MARTLET_CHILD_FAILED;
    report.step = step;
    report.error = error;
    tell(control, &report);
}

/// Obeys the worker. Returns whether it is still there.
static int obey(struct watch *watch) {
    char orders[16];
    ssize_t count = recv(watch->control, orders, sizeof orders, MSG_DONTWAIT);
    if (count == 0 || (count == -1 && errno != EAGAIN && errno != EINTR)) return 0;
    for (ssize_t index = 0; index < count; index++) {
        if (orders[index] == MARTLET_TERMINATE) kill(-watch->child, SIGTERM);
        if (orders[index] == MARTLET_KILL) kill_children(watch->group_kill);
    }
    return 1;
}

static int has_limits(const struct martlet_spawn_request *request) {
    return request->memory >= 0 || request->processes >= 0;
}

static void watch_child(struct watch *watch, const struct martlet_spawn_request *request, int signals) {
    int looks = has_limits(request);
    int next = looks ? 1 : -1;
    int64_t due = monotonic_ms() + next;
    while (!watch->has_ended) {
        int64_t left = due - monotonic_ms();
        struct pollfd waits[2] = {{.fd = watch->control, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        poll(waits, 2, looks ? (left < 0 ? 0 : (int)left) : -1);
        if (waits[1].revents) await_signal(signals, 0);
        if (waits[0].revents && !obey(watch)) return;
        reap(watch);
        if (!looks || watch->has_ended || monotonic_ms() < due) continue;
        next = look(watch, request);
        if (next == 0) return;
        due = monotonic_ms() + next;
    }
}

/// A descriptor that is readable when a child has ended.
static int child_signals(void) {
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_SETMASK, &child_signal, NULL);
    signal(SIGCHLD, SIG_DFL);
    return signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// A control group for the child, where one can be made. It is a help, not a condition.
static void make_group(struct spawn *spawn) {
    spawn->group_directory = -1;
    spawn->group_kill = -1;
    if (spawn->groups[0] == 0) return;
    int length = snprintf(spawn->group, sizeof spawn->group, "%s/" MARTLET_GROUP_PREFIX "%d", spawn->groups, getpid());
    if (length < 0 || (size_t)length >= sizeof spawn->group) return;
    // A supervisor of the same number may have left one; only an empty one can be removed.
    if (mkdir(spawn->group, 0755) == -1 && (rmdir(spawn->group) == -1 || mkdir(spawn->group, 0755) == -1)) return;
    spawn->group_directory = open(spawn->group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spawn->group_directory != -1) {
        spawn->group_kill = openat(spawn->group_directory, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    }
}

/// vfork() into the group. Moving the child there afterwards would make all processes of the machine wait for each other, for
/// milliseconds, and a fork that copies the page tables costs as much. The child runs on this very frame, as after vfork(): hence
/// no call that it could return from. Returns -1 where it cannot be done.
static inline __attribute__((always_inline)) pid_t vfork_into(const struct clone_args *arguments) {
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_clone3), "D"(arguments), "S"(sizeof *arguments)
                     : "rcx", "r11", "memory");
    return result < 0 ? -1 : (pid_t)result;
#elif defined(__aarch64__)
    register long number __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)arguments;
    register long size __asm__("x1") = sizeof *arguments;
    __asm__ volatile("svc 0" : "+r"(result) : "r"(number), "r"(size) : "memory");
    return result < 0 ? -1 : (pid_t)result;
#else
    (void)arguments;
    return -1;
#endif
}

/// The kernel counts what a process was before it executed as its own: no less than what its supervisor is. Where that hides
/// the program's own, what the looks found is nearer to the truth; a program that ended before the first has none. Without
/// limits nobody looks, and the larger number stands.
static void correct_peak(struct watch *watch, const struct martlet_spawn_request *request) {
    struct rusage own;
    if (!has_limits(request) || getrusage(RUSAGE_SELF, &own) == -1) return;
    if (watch->peak <= (int64_t)own.ru_maxrss * 1024) watch->peak = watch->seen;
}

static void supervise(int control, struct spawn *spawn) {
    prctl(PR_SET_NAME, "martlet-child");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int signals = child_signals();
    make_group(spawn);
    long oom_kills = machine_oom_kills();

    pid_t supervisor = getpid();
    struct clone_args arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = (uint64_t)spawn->group_directory;
    pid_t child = spawn->group_kill != -1 ? vfork_into(&arguments) : -1;
    if (child == -1) child = vfork();
    if (child == 0) become_program(spawn, supervisor);
    int error = errno;
    for (int index = 0; index < spawn->count; index++) close(spawn->descriptors[index]);
    if (child == -1 || signals == -1) {
        tell_failure(control, MARTLET_STEP_FORK, error);
        rmdir(spawn->group);
        _exit(1);
    }
    if (spawn->failure->step != 0) {
        // What is not reaped is still in its group.
        waitpid(child, NULL, 0);
        rmdir(spawn->group);
        tell_failure(control, spawn->failure->step, spawn->failure->error);
        _exit(0);
    }
    struct martlet_child_report report;
    memset(&report, 0, sizeof report);
    report.event = MARTLET_CHILD_STARTED;
    report.pid = child;
    tell(control, &report);

    struct watch watch;
    memset(&watch, 0, sizeof watch);
    watch.control = control;
    watch.group_kill = spawn->group_kill;
    watch.child = child;
    watch_child(&watch, &spawn->request, signals);
    int gone = end_all(&watch, signals, 2000);
    correct_peak(&watch, &spawn->request);
    report.event = MARTLET_CHILD_ENDED;
    report.status = watch.has_ended ? watch.status : SIGKILL;
    report.limit = watch.limit;
    // It may be quicker than the watch, and die of what it was then refused.
    int64_t memory = spawn->request.memory;
    if (memory >= 0 && report.limit == MARTLET_LIMIT_NONE && WIFSIGNALED(report.status) && watch.peak > memory) {
        report.limit = MARTLET_LIMIT_MEMORY;
    }
    report.machine_oom = machine_oom_kills() > oom_kills;
    report.peak = watch.peak;
    report.processor_time = watch.processor_time;
    if (gone) rmdir(spawn->group);
    tell(control, &report);
    if (!gone) {
        end_all(&watch, signals, -1);
        rmdir(spawn->group);
    }
    _exit(0);
}

// MARK: Requests

static int receive(int control, void *buffer, size_t size) {
    size_t length = 0;
    while (length < size) {
        ssize_t count = recv(control, (char *)buffer + length, size - length, 0);
        if (count == -1 && errno == EINTR) continue;
        if (count <= 0) return -1;
        length += (size_t)count;
    }
    return 0;
}

/// Takes one text; NULL when there is none.
static char *take(char **position, const char *end) {
    char *text = *position;
    char *stop = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;
    if (stop == NULL) return NULL;
    *position = stop + 1;
    return text;
}

static void *map(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int read_request(int control, struct spawn *spawn) {
    struct martlet_spawn_request *request = &spawn->request;
    if (receive(control, request, sizeof *request) == -1) return -1;
    if (request->argc > 1 << 20 || request->envc > 1 << 20 || request->bytes > 64 << 20) return -1;
    char *position = map(request->bytes + 1);
    char **lists = map((request->argc + request->envc + 2) * sizeof(char *));
    spawn->failure = map(sizeof *spawn->failure);
    if (position == NULL || lists == NULL || spawn->failure == NULL || receive(control, position, request->bytes) == -1) return -1;
    const char *end = position + request->bytes;
    spawn->path = take(&position, end);
    spawn->directory = take(&position, end);
    spawn->groups = take(&position, end);
    spawn->argv = lists;
    spawn->envp = lists + request->argc + 1;
    for (uint32_t index = 0; index < request->argc; index++) spawn->argv[index] = take(&position, end);
    for (uint32_t index = 0; index < request->envc; index++) spawn->envp[index] = take(&position, end);
    if (spawn->path == NULL || spawn->directory == NULL || spawn->groups == NULL) return -1;
    return 0;
}

/// Out of the way of the numbers they shall have in the child.
static int set_apart(struct spawn *spawn, const int *descriptors, int count) {
    for (int index = 0; index < count; index++) {
        spawn->descriptors[index] = fcntl(descriptors[index], F_DUPFD_CLOEXEC, 64);
        if (spawn->descriptors[index] == -1) return -1;
        close(descriptors[index]);
    }
    return 0;
}

static void begin(int control, const int *descriptors, int count) {
    struct spawn spawn;
    memset(&spawn, 0, sizeof spawn);
    // A worker that died meanwhile needs no answer.
    if (read_request(control, &spawn) == -1) _exit(1);
    if (set_apart(&spawn, descriptors, count) == -1) {
        tell_failure(control, MARTLET_STEP_DESCRIPTORS, errno);
        _exit(1);
    }
    spawn.count = count;
    supervise(control, &spawn);
}

static void ignore_signals(void) {
    // Ctrl-C, or a signal to all, is the worker's to heed.
    struct sigaction ignored, standard;
    memset(&ignored, 0, sizeof ignored);
    memset(&standard, 0, sizeof standard);
    ignored.sa_handler = SIG_IGN;
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP};
    for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) sigaction(signals[index], &ignored, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/// A supervisor ends when nothing of its child is left. Where it was killed instead, the rest has become ours: it is known by
/// its session, since a child begins with one of its own, and nobody can join ours.
/// Returns whether any of it was there.
static int kill_orphans(void) {
    int count = direct_children(), found = 0;
    pid_t session = getsid(0);
    for (int index = 0; index < count; index++) {
        if (getsid(processes[index]) == session) continue;
        kill(processes[index], SIGKILL);
        found = 1;
    }
    return found;
}

/// Returns whether a process ended that did not mean to.
static int bury(void) {
    int was_killed = 0;
    for (;;) {
        int status;
        pid_t process = waitpid(-1, &status, WNOHANG);
        if (process == -1 && errno == EINTR) continue;
        if (process <= 0) return was_killed;
        if (WIFSIGNALED(status)) was_killed = 1;
    }
}

/// Takes one request and forks its supervisor. Returns 0 when the worker is gone.
static int serve_one(int requests, int signals) {
    char byte;
    union {
        char bytes[CMSG_SPACE(sizeof(int) * (MAX_DESCRIPTORS + 1))];
        struct cmsghdr alignment;
    } space;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    ssize_t count = recvmsg(requests, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count == -1 && (errno == EINTR || errno == EAGAIN)) return 1;
    if (count <= 0) return 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) return 1;
    int descriptors[MAX_DESCRIPTORS + 1];
    int number = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(descriptors, CMSG_DATA(header), (size_t)number * sizeof(int));
    pid_t supervisor = fork();
    if (supervisor == 0) {
        close(requests);
        close(signals);
        begin(descriptors[0], descriptors + 1, number - 1);
    }
    if (supervisor == -1) tell_failure(descriptors[0], MARTLET_STEP_FORK, errno);
    for (int index = 0; index < number; index++) close(descriptors[index]);
    return 1;
}

static void serve(int requests) {
    prctl(PR_SET_NAME, "martlet-warden");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    setsid();
    ignore_signals();
    int signals = child_signals();
    int has_orphans = 0;
    for (;;) {
        struct pollfd waits[2] = {{.fd = requests, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        poll(waits, 2, has_orphans ? 20 : -1);
        if (waits[1].revents) await_signal(signals, 0);
        if (bury() || has_orphans) has_orphans = kill_orphans();
        if (waits[0].revents && !serve_one(requests, signals)) break;
    }
    while (has_orphans) {
        await_signal(signals, 20);
        bury();
        has_orphans = kill_orphans();
    }
    _exit(0);
}

int martlet_warden_start(int *requests) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1) return -errno;
    pid_t warden = fork();
    if (warden == -1) {
        int error = errno;
        close(ends[0]);
        close(ends[1]);
        return -error;
    }
    if (warden == 0) {
        // Nothing of the worker's is held open here: not its database, not its own sockets.
        int own = dup2(ends[1], 3);
        if (own == -1 || syscall(SYS_close_range, 4, ~0U, 0) == -1) _exit(1);
        fcntl(own, F_SETFD, FD_CLOEXEC);
        int nothing = open("/dev/null", O_RDWR);
        for (int number = 0; number < 3; number++) dup2(nothing, number);
        if (nothing > 3) close(nothing);
        serve(own);
    }
    close(ends[1]);
    *requests = ends[0];
    return warden;
}

int martlet_warden_ask(int requests, const int *descriptors, int count) {
    if (count < 1 || count > MAX_DESCRIPTORS) return EINVAL;
    char byte = 0;
    union {
        char bytes[CMSG_SPACE(sizeof(int) * (MAX_DESCRIPTORS + 1))];
        struct cmsghdr alignment;
    } space;
    memset(&space, 0, sizeof space);
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = space.bytes,
        .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * (size_t)count);
    while (sendmsg(requests, &message, MSG_NOSIGNAL) == -1) {
        if (errno != EINTR) return errno;
    }
    return 0;
}
