/* door: nothing of its own; libpith as a file that bench/peer.py loads. */
#include "pith.h"

/* A file without any function is refused by some compilers. */
const char *pith_door_version(void);

PITH_API const char *pith_door_version(void)
{
    return pith_version();
}
