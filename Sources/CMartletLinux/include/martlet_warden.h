// Child processes that cannot leave anything behind.
//
//   worker ──▶ warden ──▶ supervisor, one per child ──▶ child ──▶ whatever it starts
//
// The warden is a fork of the worker with one thread and nothing to do but to fork supervisors, which therefore costs little
// however large the worker is, and does not depend on which of its threads asks. A supervisor is its child's subreaper:
// a descendant whose parent ends becomes the supervisor's own child, also when it has forked twice and called setsid. So the
// supervisor finds them all, without asking who they are, and its wait ends only when none is left.
//
// It kills them when the child has ended, when the worker says so, and when the worker is gone, which it sees as the end of
// its socket, however the worker ended.
#ifndef MARTLET_WARDEN_H
#define MARTLET_WARDEN_H

#include <stdint.h>

/// What a supervisor reads from its socket first. `bytes` of text follow, each ended by NUL: the file to execute, the
/// directory to enter (empty: none), `argc` arguments, `envc` variables. Numbers below 0 mean: no limit, no change.
struct martlet_spawn_request {
    uint32_t bytes;
    uint32_t argc;
    uint32_t envc;
    /// Of all processes of the child together, resident and private, in bytes; twice as much in data of each one.
    int64_t memory;
    /// Seconds, of each process.
    int64_t cpu;
    int64_t files;
    /// Of the child, itself included.
    int64_t processes;
    int64_t user;
    int64_t group;
    int64_t nice;
};

enum martlet_child_event { MARTLET_CHILD_STARTED = 1, MARTLET_CHILD_FAILED = 2, MARTLET_CHILD_ENDED = 3 };

/// What could not be done before the program ran.
enum martlet_spawn_step {
    MARTLET_STEP_FORK = 1, MARTLET_STEP_LIMITS, MARTLET_STEP_GROUP, MARTLET_STEP_USER, MARTLET_STEP_DIRECTORY,
    MARTLET_STEP_DESCRIPTORS, MARTLET_STEP_EXECUTE
};

/// Which limit a supervisor enforced.
enum martlet_child_limit { MARTLET_LIMIT_NONE = 0, MARTLET_LIMIT_MEMORY = 1, MARTLET_LIMIT_PROCESSES = 2 };

/// What a supervisor writes to its socket: started or failed, then ended.
struct martlet_child_report {
    int32_t event;
    int32_t pid;
    /// Of a failure: the step, and the errno.
    int32_t step;
    int32_t error;
    /// Of an end: as wait(2) has it; the limit; whether the machine ran out of memory meanwhile.
    int32_t status;
    int32_t limit;
    int32_t machine_oom;
    int32_t unused;
    /// The largest resident memory of one process, bytes; processor time of all, microseconds.
    int64_t peak;
    int64_t processor_time;
};

/// Forks a warden. Returns its process id and the socket to ask it by, or the negative errno.
int martlet_warden_start(int *socket);

/// Asks for a supervisor, with these descriptors: its socket, then the child's 0, 1, 2 … in turn.
/// Returns 0 or an errno.
int martlet_warden_ask(int socket, const int *descriptors, int count);

/// Single bytes to a supervisor: SIGTERM to the child's process group; SIGKILL to the child and all its descendants.
enum martlet_child_order { MARTLET_TERMINATE = 'T', MARTLET_KILL = 'K' };

/// pipe2(2), closed on execution. Returns 0 or an errno.
int martlet_pipe(int ends[2]);

// For Swift, whose importer leaves out macros with arguments.
int martlet_exited(int status);
int martlet_exit_code(int status);
int martlet_signal(int status);

#endif
