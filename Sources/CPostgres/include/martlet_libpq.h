// libpq, loaded when somebody asks for PostgreSQL and not when the program starts: with Kerberos, LDAP and OpenSSL, which it brings
// along, that takes 3 ms and 5 MB, and who uses SQLite alone need not have it. Its header is needed to build.
#ifndef MARTLET_LIBPQ_H
#define MARTLET_LIBPQ_H

// Debian keeps it in a directory of its own.
#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>
#else
#include <libpq-fe.h>
#endif

/// Every function of libpq that is called, and nowhere else a list of them.
#define MARTLET_LIBPQ_FUNCTIONS(X) \
  X(PQbackendPID) X(PQcancel) X(PQclear) X(PQcmdTuples) X(PQconndefaults) X(PQconnectPoll) X(PQconnectStartParams) X(PQconnectdb) \
  X(PQconnectionNeedsPassword) X(PQconninfo) X(PQconninfoFree) X(PQconninfoParse) X(PQconsumeInput) X(PQenterPipelineMode) \
  X(PQerrorMessage) X(PQexec) X(PQexitPipelineMode) X(PQfinish) X(PQflush) X(PQfname) X(PQfreeCancel) X(PQfreemem) X(PQftype) \
  X(PQgetCancel) X(PQgetResult) X(PQgetisnull) X(PQgetlength) X(PQgetvalue) X(PQhost) X(PQhostaddr) X(PQisBusy) X(PQnfields) \
  X(PQnotifies) X(PQntuples) X(PQparameterStatus) X(PQpipelineSync) X(PQport) X(PQputCopyData) X(PQputCopyEnd) \
  X(PQresultErrorField) X(PQresultErrorMessage) X(PQresultStatus) X(PQsendPrepare) X(PQsendQuery) X(PQsendQueryParams) \
  X(PQsendQueryPrepared) X(PQserverVersion) X(PQsetErrorVerbosity) X(PQsetNoticeProcessor) X(PQsetnonblocking) X(PQsocket) \
  X(PQstatus)

/// A pointer to each, of the same name.
typedef struct {
#define MARTLET_POINTER(name) __typeof__(name) *name;
  MARTLET_LIBPQ_FUNCTIONS(MARTLET_POINTER)
#undef MARTLET_POINTER
} martlet_libpq __attribute__((swift_attr("@Sendable")));

/// Fills all of them in. NULL, or what is missing, in a text that lasts until this thread's next call of this kind.
const char *martlet_libpq_load(martlet_libpq *functions);

#endif
