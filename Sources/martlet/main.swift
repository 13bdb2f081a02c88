import Glibc
import MartletApp

exit(await App.main())
