/* pool: see pool.h. */
#include "base/pool.h"
