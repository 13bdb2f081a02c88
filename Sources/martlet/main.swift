import Glibc
import MartletApp

let status = await App.main()
// Not `exit`: it runs the destructors of libpq's libraries (OpenSSL, Kerberos) while one of our threads may still be connecting,
// and the process would end with a crash in place of its status.
fflush(nil)
_exit(status)
