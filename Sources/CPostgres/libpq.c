#include "martlet_libpq.h"
#include <dlfcn.h>
#include <stdint.h>

/// OpenSSL tidies up when the process exits, under the feet of whoever is just proving a password: libpq uses it for that also
/// without TLS, and a program that ends while it connects would crash. The process's memory goes anyway.
static void keep_openssl(void *library) {
  const uint64_t without_atexit = 0x80000; // OPENSSL_INIT_NO_ATEXIT, openssl/crypto.h
  int (*initialize)(uint64_t, const void *) = (int (*)(uint64_t, const void *))dlsym(library, "OPENSSL_init_crypto");
  // A libpq without OpenSSL has nothing to keep.
  if (initialize) initialize(without_atexit, NULL);
}

const char *martlet_libpq_load(martlet_libpq *functions) {
  // Its number has been 5 since PostgreSQL 8.2; what came later is found missing below. It stays for as long as the process.
  void *library = dlopen("libpq.so.5", RTLD_LAZY | RTLD_LOCAL);
  if (!library) return dlerror();
#define MARTLET_FIND(name)                                                       \
  functions->name = (__typeof__(functions->name))dlsym(library, #name);          \
  if (!functions->name) return dlerror();
  MARTLET_LIBPQ_FUNCTIONS(MARTLET_FIND)
#undef MARTLET_FIND
  keep_openssl(library);
  return NULL;
}
